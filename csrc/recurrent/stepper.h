// A stack that takes one step forward per call: weights packed once, state kept, nothing allocated.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

#include "recurrent/pieces.h"
#include "recurrent/plan.h"
#include "recurrent/stack.h"

namespace elman {

template <class T> class Stepper {
 public:
  Stepper(std::shared_ptr<const PackedStack<T>> stack, int batch_size,
          ForcedSchedule wanted);  // of one direction

  // Held while stepping or touching the state. Two threads at once would mix their states, so the second one
  // is refused.
  class Use {
   public:
    explicit Use(Stepper& stepper) : used_(stepper.used_) {
      if (used_.exchange(true, std::memory_order_acquire))
        throw std::runtime_error(
            "stepper: expected one call at a time, got a second one from another thread; make a stepper for "
            "each thread");
    }
    ~Use() { used_.store(false, std::memory_order_release); }
    Use(const Use&) = delete;

   private:
    std::atomic<bool>& used_;
  };

  // x [B, I] to y [B, H], the last layer's h. Streams whose byte of the mask [B] is 0 skip it: their states
  // stay, and y is 0 there.
  // scalars: [B, scalars] of the cell.
  void step(const T* x, T* y, const uint8_t* mask = nullptr, const T* scalars = nullptr);

  const Stack& stack() const { return *stack_; }
  int batch_size() const { return plan_->B; }
  int states() const { return stack_->facts().state_count(); }

  T* state(int layer, int k) const;  // [B, H]: as the last step left it

 private:
  struct Layer {
    Buffer<T> h[2];                           // read and written in turn
    Buffer<T> states[max_states];             // those beyond h, read and written in place
    Buffer<T> kept[max_states];               // those before a step that streams skip
    Buffer<T> slots, left, read[max_stages];  // between the stages of a step, if there is more than one
  };
  Layer new_layer() const;
  ForwardJob<T> job(int layer, int now) const;
  Pieces cut(int threads, bool warm) const;
  // How steps are cut for so many threads: where the workers are awake, and where they sleep.
  struct Cuts {
    int threads;
    Pieces warm, cold;
  };
  const Cuts& cuts_for(int threads);
  void keep_states();
  void go_back(const uint8_t* mask, T* y);

  std::atomic<bool> used_{false};
  const std::shared_ptr<const PackedStack<T>> stack_;
  const std::shared_ptr<const Plan> plan_;
  const Buffer<T> zeros_;
  std::vector<Layer> layers_;
  int now_ = 0;                         // which h holds the state
  std::vector<ForwardJob<T>> jobs_[2];  // of all layers, for a step that finds the state there
  const ForcedSchedule wanted_;
  const Pieces alone_;  // where the workers serve another call
  std::unique_ptr<const Cuts> cuts_;
};

}  // namespace elman
