// How a long call may be ended from outside, without the engine knowing what that is: between two parts of
// its work it calls a function that the binding gave.
#pragma once

#include "engine/plan.h"
#include "engine/waiting.h"

namespace elman {

// Throws if the call is to end: its results are then undefined, and its tape used up.
void on_pause(void (*check)());

// The pauses of one call. They are asked for often, and come true after every tenth of a second: usual calls
// have none.
class Pauses {
 public:
  void pause_if_due() {
    if (Clock::now() - last_ > interval) check();
  }

 private:
  static constexpr std::chrono::milliseconds interval{100};
  void check();
  Clock::time_point last_ = Clock::now();
};

// Cuts the steps of a call into spans with a pause between two. Only long calls are cut.
class Spans {
 public:
  // Of rows of so many vectors of units, each of which takes so many multiply-adds in a step.
  Spans(const PlanView& plan, int vectors, double multiply_adds, int threads);

  // The end of the span that begins there, of steps to `last`; the begin of the one that ends there, of steps
  // from `first`.
  int end(int begin, int last) const;
  int begin(int end, int first) const;

 private:
  template <class WorkOf> int most_steps(int count, const WorkOf& work_of) const;
  double work(int begin, int end) const;

  const PlanView& plan_;
  const double row_work_, most_;
};

// For tests: the work of a span for each thread, 0 for the usual.
void set_span(double work);

}  // namespace elman
