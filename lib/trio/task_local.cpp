// SPDX-License-Identifier: BSL-1.0
#include "runner.hpp"

#include <trio/task_local.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace trio::detail {

struct TaskLocals {
  std::vector<std::pair<void const*, std::shared_ptr<void>>> values;

  // Null if it is not set.
  std::shared_ptr<void> const* find(void const* key) const {
    auto const found = std::find_if(values.begin(), values.end(),
                                    [key](auto const& entry) { return entry.first == key; });
    return found == values.end() ? nullptr : &found->second;
  }

  void set(void const* key, std::shared_ptr<void> value) {
    std::erase_if(values, [key](auto const& entry) { return entry.first == key; });
    values.emplace_back(key, std::move(value));
  }
};

std::shared_ptr<void> task_local_get(void const* key) {
  if (!lowlevel::in_task()) return nullptr;
  auto const& locals = Runner::current_task().locals;
  auto const* found = locals ? locals->find(key) : nullptr;
  return found ? *found : nullptr;
}

void task_local_set(void const* key, std::shared_ptr<void> value) {
  TaskRecord& task = Runner::current_task();
  auto changed =
      task.locals ? std::make_shared<TaskLocals>(*task.locals) : std::make_shared<TaskLocals>();
  changed->set(key, std::move(value));
  task.locals = std::move(changed);
}

}  // namespace trio::detail
