// SPDX-License-Identifier: BSL-1.0
#pragma once
#include <tractor/actor.hpp>
#include <tractor/actor_nursery.hpp>
#include <tractor/buffer.hpp>
#include <tractor/context.hpp>
#include <tractor/error_types.hpp>
#include <tractor/errors.hpp>
#include <tractor/expose.hpp>
#include <tractor/log.hpp>
#include <tractor/portal.hpp>
#include <tractor/publisher.hpp>
#include <tractor/root_options.hpp>
#include <tractor/run.hpp>
#include <tractor/stream.hpp>
#include <tractor/subscription.hpp>
#include <tractor/topic.hpp>
#include <trio/trio.hpp>
