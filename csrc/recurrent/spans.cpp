#include "recurrent/spans.h"

#include <algorithm>
#include <atomic>

namespace elman {
namespace {

// The work of a span for one thread, in multiply-adds of a vector. It takes 7 ms if seven are done in a
// nanosecond, and 100 ms if each waits for its weights to come from memory.
constexpr double usual_span = 5e7;
std::atomic<double> span{usual_span};

// Added for each step, and for each group of units of an entry: even small ones cost something.
constexpr double step_work = 1000, cell_work = 100;

}  // namespace

void set_span(double work) { span.store(work > 0 ? work : usual_span); }

Spans::Spans(const PlanView& plan, int groups, double multiply_adds, int threads)
    : plan_(plan), entry_work_(groups * (multiply_adds + cell_work)), most_(span.load() * threads) {}

double Spans::work(int begin, int end) const {
  begin = std::min(begin, plan_.steps);
  end = std::min(end, plan_.steps);
  return double(plan_.offset[end] - plan_.offset[begin]) * entry_work_ + double(end - begin) * step_work;
}

// How many of `count` steps one span takes: as many as `most_` allows, but at least one, and all if the work
// is little. `work_of(n)`: the work of n steps.
template <class WorkOf> int Spans::most_steps(int count, const WorkOf& work_of) const {
  if (count <= 1 || work_of(count) < 2 * most_) return count;
  int low = 1, high = count;  // by halving
  while (low < high) {
    const int middle = low + (high - low + 1) / 2;
    if (work_of(middle) <= most_) low = middle;
    else high = middle - 1;
  }
  return low;
}

int Spans::end(int begin, int last) const {
  return begin + most_steps(last - begin, [&](int steps) { return work(begin, begin + steps); });
}

int Spans::begin(int end, int first) const {
  return end - most_steps(end - first, [&](int steps) { return work(end - steps, end); });
}

}  // namespace elman
