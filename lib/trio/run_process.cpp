// SPDX-License-Identifier: BSL-1.0
#include <trio/cancel_scope.hpp>
#include <trio/detail/guarded.hpp>
#include <trio/detail/tail.hpp>
#include <trio/errors.hpp>
#include <trio/exception_group.hpp>
#include <trio/io.hpp>
#include <trio/lowlevel.hpp>
#include <trio/process.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <utility>

#include <sys/ioctl.h>
#include <unistd.h>

namespace trio {

namespace {

constexpr std::size_t longest_line = 64 * 1024;

// Takes what a program writes into one of its pipes, until that is closed, or the program has ended
// and what was there then is taken.
class Relay {
 public:
  Relay(FdReceiveStream& from, LineHandler const& handler, bool captures)
      : from_(from), handler_(handler), captures_(captures) {}

  // A checkpoint, but it waits behind a shield: a program that is being ended may have something to
  // say still. Throws what the handler throws.
  void run() {
    struct Closing {
      FdReceiveStream& stream;

      // The program is not to wait for us, if we have failed.
      ~Closing() { stream.close(); }
    } const closing{from_};

    std::array<char, 4096> buffer;
    while (!ended_ || left_ > 0) {
      std::size_t const most = ended_ ? std::min(left_, buffer.size()) : buffer.size();
      ssize_t const got = read(from_.fd(), buffer.data(), most);
      if (got > 0) {
        std::string_view const piece(buffer.data(), static_cast<std::size_t>(got));
        if (ended_) left_ -= piece.size();
        take(piece);
        lowlevel::cancel_shielded_checkpoint();
      } else if (got == 0 || (errno != EINTR && (errno != EAGAIN || ended_))) {
        break;
      } else if (errno == EAGAIN) {
        shielded([&] { lowlevel::wait_readable(from_.fd()); });
      }
    }
    // The last line may lack its end.
    if (!begun_.empty()) handler_(begun_);
  }

  // The program has ended: run() takes what is there, and waits for no more. Not a checkpoint.
  void finish() {
    ended_ = true;
    if (from_.fd() < 0) return;
    int left = 0;
    ioctl(from_.fd(), FIONREAD, &left);
    left_ = static_cast<std::size_t>(left);
    lowlevel::notify_readable(from_.fd());
  }

  // What was captured.
  std::string captured = {};
  detail::Tail last_words = {};

 private:
  void take(std::string_view piece) {
    last_words.add(piece);
    if (captures_) captured += piece;
    if (handler_) hand_on(piece);
  }

  void hand_on(std::string_view piece) {
    begun_ += piece;
    std::string_view rest = begun_;
    for (;;) {
      std::size_t const end = rest.find('\n');
      if (end == std::string_view::npos && rest.size() < longest_line) break;
      handler_(rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    begun_.erase(0, begun_.size() - rest.size());
  }

  FdReceiveStream& from_;
  LineHandler const& handler_;
  bool const captures_;
  // A line that has not ended yet.
  std::string begun_;
  bool ended_ = false;
  // Of what the program has written, in the pipe still when it has ended.
  std::size_t left_ = 0;
};

void feed(FdSendStream& to, std::string const& input) {
  try {
    to.send_all(input);
  } catch (BrokenResourceError const&) {
    // A program need not read all that it is given,
  } catch (ClosedResourceError const&) {
    // or may have ended.
  }
  to.close();
}

// Has `deliver_cancel` end the program, and waits for that, whatever is cancelled.
void end_by(std::function<void(Process&)> const& deliver_cancel, Process& process) {
  auto const error = detail::caught_from([&] {
    shielded([&] {
      open_nursery([&](Nursery& nursery) {
        nursery.start_soon({.name = "end a program"}, deliver_cancel, std::ref(process));
        process.wait();
        nursery.cancel_scope().cancel("the program has ended");
      });
    });
  });
  if (error) rethrow_single(error);
}

// Waits until the program has ended, and ends it if the wait is cut short.
ExitStatus see_to_its_end(Process& process, RunProcessOptions const& options) {
  ExitStatus status;
  auto const cut_short = detail::caught_from([&] { status = process.wait(); });
  if (cut_short) {
    if (options.deliver_cancel)
      end_by(options.deliver_cancel, process);
    else
      process.terminate(options.grace);
    std::rethrow_exception(cut_short);
  }
  return status;
}

std::string message_for(CompletedProcess const& process, std::string const& last_words) {
  std::string message = "trio: " + process.command.front() + " " + describe(process.status);
  if (!last_words.empty()) message += "; its last words:\n" + last_words;
  return message;
}

}  // namespace

ProcessError::ProcessError(CompletedProcess process, std::string last_words)
    : std::runtime_error(message_for(process, last_words)),
      process_(std::make_shared<CompletedProcess const>(std::move(process))),
      last_words_(std::make_shared<std::string const>(std::move(last_words))) {}

CompletedProcess run_process(std::vector<std::string> command, RunProcessOptions const& options,
                             TaskStatus<pid_t>& status) {
  bool const hears_output = options.capture_output || options.on_output_line;
  Process process =
      open_process(std::move(command), {.input = options.input.empty() ? Stdio::null : Stdio::pipe,
                                        .output = hears_output ? Stdio::pipe : Stdio::null,
                                        .errors = Stdio::pipe,
                                        .directory = options.directory,
                                        .variables = options.variables});
  std::optional<Relay> output;
  if (hears_output)
    output.emplace(process.output(), options.on_output_line, options.capture_output);
  Relay errors(process.errors(), options.on_error_line, options.capture_errors);
  CompletedProcess completed = {.command = process.command()};

  auto const error = detail::caught_from([&] {
    open_nursery([&](Nursery& nursery) {
      // However it ends, the tasks do not outlive the program.
      struct Ending {
        Process& process;
        std::optional<Relay>& output;
        Relay& errors;
        bool feeds;

        ~Ending() {
          if (feeds) process.input().close();
          if (output) output->finish();
          errors.finish();
        }
      } const ending{process, output, errors, !options.input.empty()};

      if (ending.feeds)
        nursery.start_soon({.name = "write to a program"}, feed, std::ref(process.input()),
                           std::cref(options.input));
      if (output)
        nursery.start_soon({.name = "read what a program writes"}, &Relay::run, std::ref(*output));
      nursery.start_soon({.name = "read what a program complains of"}, &Relay::run,
                         std::ref(errors));
      status.started(process.pid());
      completed.status = see_to_its_end(process, options);
    });
  });
  if (error) rethrow_single(error);

  if (output) completed.output = std::move(output->captured);
  completed.errors = std::move(errors.captured);
  if (options.check && !completed.status.is_success())
    throw ProcessError(std::move(completed), errors.last_words.text());
  return completed;
}

}  // namespace trio
