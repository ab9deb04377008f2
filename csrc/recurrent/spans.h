// The steps of a long call in spans, with a pause between two (machine/pauses.h).
#pragma once

#include "kernels/plan_view.h"

namespace elman {

// Cuts the steps of a call into spans with a pause between two. Only long calls are cut.
class Spans {
 public:
  // Of entries of so many groups of units, each of which takes so many multiply-adds.
  Spans(const PlanView& plan, int groups, double multiply_adds, int threads);

  // The end of the span that begins there, of steps to `last`; the begin of the one that ends there, of steps
  // from `first`.
  int end(int begin, int last) const;
  int begin(int end, int first) const;

 private:
  template <class WorkOf> int most_steps(int count, const WorkOf& work_of) const;
  double work(int begin, int end) const;

  const PlanView& plan_;
  const double entry_work_, most_;
};

// For tests: the work of a span for each thread, 0 for the usual.
void set_span(double work);

}  // namespace elman
