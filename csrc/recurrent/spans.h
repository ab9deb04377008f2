// The steps of a long call in spans, with a pause between two (machine/pauses.h).
#pragma once

#include "kernels/plan_view.h"

namespace elman {

// Cuts the steps of a call into spans with a pause between two. Only long calls are cut.
class Spans {
 public:
  // Each entry has so many groups of units, and each group takes so many multiply-adds.
  Spans(const PlanView& plan, int groups, double multiply_adds, int threads);

  // end: where the span that begins at `begin` ends, at the latest at `last`. begin: where the span that ends
  // at `end` begins, at the earliest at `first`.
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
