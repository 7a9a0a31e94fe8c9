// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <trio/cancel_scope.hpp>
#include <trio/cancelled.hpp>
#include <trio/errors.hpp>
#include <trio/event.hpp>
#include <trio/exception_group.hpp>
#include <trio/io.hpp>
#include <trio/lock.hpp>
#include <trio/lowlevel.hpp>
#include <trio/memory_channel.hpp>
#include <trio/nursery.hpp>
#include <trio/parking_lot.hpp>
#include <trio/run.hpp>
#include <trio/stack_trace.hpp>
#include <trio/task_local.hpp>
#include <trio/task_tree.hpp>
#include <trio/time.hpp>
