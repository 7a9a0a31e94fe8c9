// SPDX-License-Identifier: BSL-1.0
// What trio.cpp, crowds.cpp and echo.cpp measure, done with goroutines: tasks FILE
package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

type entry struct {
	Name     string  `json:"name"`
	RunType  string  `json:"run_type"`
	RealTime float64 `json:"real_time"`
	TimeUnit string  `json:"time_unit"`
}

var entries []entry

func record(name string, perItem float64) {
	entries = append(entries, entry{"go_" + name, "iteration", perItem, "ns"})
}

// Of measurements of a millisecond or two each, so that some of them are not disturbed.
const rounds = 50

// measure records how long each of the items that one call of work does takes, again and again.
func measure(name string, items int, work func(items int)) {
	for i := 0; i < rounds; i++ {
		begin := time.Now()
		work(items)
		record(name, float64(time.Since(begin).Nanoseconds())/float64(items))
	}
}

func residentBytes() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return float64(pages * os.Getpagesize())
}

func parked(count int) {
	runtime.GC()
	before := residentBytes()
	var ready, done sync.WaitGroup
	ready.Add(count)
	done.Add(count)
	release := make(chan struct{})
	begin := time.Now()
	for i := 0; i < count; i++ {
		go func() {
			ready.Done()
			<-release
			done.Done()
		}()
	}
	ready.Wait()
	record("parked_time", float64(time.Since(begin).Nanoseconds())/float64(count))
	record("parked_bytes", (residentBytes()-before)/float64(count))
	close(release)
	done.Wait()
}

func spawnAndJoin(count int) {
	for i := 0; i < count; i++ {
		var done sync.WaitGroup
		done.Add(1)
		go func() { done.Done() }()
		done.Wait()
	}
}

func spawnManyAndJoin(count int) {
	var done sync.WaitGroup
	for i := 0; i < count; i++ {
		done.Add(1)
		go func() { done.Done() }()
	}
	done.Wait()
}

func yield(count int) {
	done := make(chan struct{})
	go func() {
		for i := 0; i < count/2; i++ {
			runtime.Gosched()
		}
		close(done)
	}()
	for i := 0; i < count/2; i++ {
		runtime.Gosched()
	}
	<-done
}

func channelRoundTrip(count int) {
	there := make(chan int)
	back := make(chan int)
	go func() {
		for value := range there {
			back <- value
		}
	}()
	for i := 0; i < count; i++ {
		there <- 1
		<-back
	}
	close(there)
}

func channelOneWay(count int) {
	channel := make(chan int, 64)
	done := make(chan struct{})
	go func() {
		for range channel {
		}
		close(done)
	}()
	for i := 0; i < count; i++ {
		channel <- i
	}
	close(channel)
	<-done
}

// Go has no broadcast: a channel for each receiver.
func broadcast(count int) {
	var done sync.WaitGroup
	var channels [8]chan int
	for i := range channels {
		channels[i] = make(chan int, 64)
		done.Add(1)
		go func(channel chan int) {
			for range channel {
			}
			done.Done()
		}(channels[i])
	}
	for i := 0; i < count; i++ {
		for _, channel := range channels {
			channel <- i
		}
	}
	for _, channel := range channels {
		close(channel)
	}
	done.Wait()
}

func deadlineChurn(count int) {
	for i := 0; i < count; i++ {
		_, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		cancel()
	}
}

func cancelMany(count int) {
	scope, cancel := context.WithCancel(context.Background())
	var ready, done sync.WaitGroup
	ready.Add(count)
	done.Add(count)
	for i := 0; i < count; i++ {
		go func() {
			ready.Done()
			<-scope.Done()
			done.Done()
		}()
	}
	ready.Wait()
	begin := time.Now()
	cancel()
	done.Wait()
	record("cancel", float64(time.Since(begin).Nanoseconds())/float64(count))
}

func serveEcho(connection net.Conn) {
	buffer := make([]byte, 4096)
	for {
		count, err := connection.Read(buffer)
		if err != nil {
			break
		}
		connection.Write(buffer[:count])
	}
	connection.Close()
}

// os.Args[2:] is the program that connects, and then prints how long an echo took.
func echo() {
	address := "@tractor-bench-" + strconv.Itoa(os.Getpid())
	listener, err := net.Listen("unix", address)
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go serveEcho(connection)
		}
	}()
	clients := exec.Command(os.Args[2], append(os.Args[3:], address)...)
	answer, err := clients.Output()
	if err != nil {
		panic(err)
	}
	perEcho, _ := strconv.ParseFloat(strings.TrimSpace(string(answer)), 64)
	record("echo", perEcho)
	listener.Close()
}

func main() {
	parked(100_000)
	measure("spawn_and_join", 3_000, spawnAndJoin)
	measure("spawn_1000_and_join", 1_000, spawnManyAndJoin)
	measure("switch", 20_000, yield)
	measure("channel_round_trip", 5_000, channelRoundTrip)
	measure("channel_one_way", 20_000, channelOneWay)
	measure("broadcast", 3_000, broadcast)
	// A million in all.
	measure("deadline_churn", 1_000_000/rounds, deadlineChurn)
	for i := 0; i < 5; i++ {
		cancelMany(10_000)
	}
	echo()
	text, _ := json.Marshal(map[string][]entry{"benchmarks": entries})
	if err := os.WriteFile(os.Args[1], text, 0o666); err != nil {
		panic(err)
	}
}
