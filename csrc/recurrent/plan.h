// A plan: the one thing the engine knows about sequences. Lengths, masks, resets and direction all become
// segments: `alive[t]` of them take step t, the longest first, and `index` says which row of the caller's
// arrays each entry (a segment at a step) is. Nothing is copied or padded; kernels follow the addresses.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/plan_view.h"

namespace elman {

class Plan {
 public:
  struct Options {
    int T = 0, B = 0;
    bool batch_first = false, reverse = false;
    const int64_t* lengths = nullptr;  // [B]
    const uint8_t* mask = nullptr;     // [T, B], or [B, T] with batch_first; steps of 0 are skipped
    const uint8_t* reset = nullptr;    // like mask; the state is zero before a step that is not 0
  };

  explicit Plan(const Options& options);

  // Sequences laid end to end by steps, as in torch's PackedSequence: the caller's rows are the
  // batch_sizes[0] of the first step, then the batch_sizes[1] of the second; sizes above 0 and
  // non-increasing.
  Plan(const int64_t* batch_sizes, int T, bool reverse);

  PlanView view() const;
  int64_t total() const { return offset_.back(); }  // entries

  // Whether both give every entry the same row, and every segment the same sequence and states.
  bool matches(const Plan& other) const;

  const int T, B;
  const int64_t rows;  // of the caller's arrays: T * B, or fewer where they hold no padding

  // The caller's rows that no step computes: y is zero there, and so is the gradient of x.
  std::vector<int32_t> holes;

  // Sequences whose final state no segment gives: it is the initial state, or zeros after a reset.
  struct Idle {
    int32_t sequence;
    bool zero;
  };
  std::vector<Idle> idle;

 private:
  struct Segment;
  void arrange(std::vector<Segment>& segments);

  std::vector<int32_t> alive_, index_, sequence_, start_, finish_;
  std::vector<int64_t> offset_;
};

// A plan of so many entries may be kept for the next call.
constexpr int64_t small_plan = 4096;

// One step of each sequence. The last one that a thread asked for is at hand, if it is small.
std::shared_ptr<const Plan> one_step(int batch_size);

}  // namespace elman
