// Packed weights that are found again by what they were packed from.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "bind/tensors.h"
#include "probes/fingerprint.h"
#include "recurrent/pass.h"

namespace elman {

using Plans = std::vector<std::shared_ptr<const Plan>>;

// Of arrays: of all their bytes, and of their shapes and type.
inline uint64_t fingerprint_of(const std::vector<View>& arrays) {
  std::vector<int64_t> facts;
  std::vector<Bytes> bytes;
  facts.reserve(4 * arrays.size());
  bytes.reserve(arrays.size() + 1);
  for (const View& one : arrays) {
    facts.insert(facts.end(), {one.is_double, one.sizes[0], one.sizes[1], one.sizes[2]});
    bytes.push_back({static_cast<const char*>(one.data), one.elements() * (one.is_double ? 8 : 4)});
  }
  bytes.push_back({reinterpret_cast<const char*>(facts.data()), int64_t(facts.size() * sizeof(int64_t))});
  return run_fingerprint(bytes);
}

// Packed weights, and the fingerprint of what they were packed from.
template <class T> class Kept {
 public:
  Kept(const std::shared_ptr<PackedStack<T>>& packed, uint64_t fingerprint)
      : packed_(packed), fingerprint_(fingerprint) {
    held(packed, "packed");
  }

  // The packed weights, if they were made of these by the kernels that run now; else null. `trusted`: the
  // caller knows that these are the ones.
  const PackedStack<T>* find(const Stack& stack, const std::vector<View>& weights, bool trusted) const {
    const PackedStack<T>& p = *packed_;
    const bool same = &p.isa == &stack.isa && p.cell.facts == stack.cell.facts && p.I == stack.I &&
                      p.H == stack.H && p.L == stack.L && p.D == stack.D && p.heads == stack.heads;
    return same && (trusted || fingerprint_of(weights) == fingerprint_) ? packed_.get() : nullptr;
  }

  // Plans of T steps of B sequences which all count. Small ones are kept for the next call with as many.
  Plans plans(int T_, int B, bool batch_first) {
    const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (lock && !plans_.empty() && plans_[0]->T == T_ && plans_[0]->B == B && batch_first_ == batch_first)
      return plans_;
    Plan::Options options;
    options.T = T_;
    options.B = B;
    options.batch_first = batch_first;
    Plans made;
    for (int d = 0; d < packed_->D; ++d) {
      options.reverse = d == 1;
      made.push_back(std::make_shared<const Plan>(options));
    }
    if (lock && int64_t{T_} * B <= small_plan) plans_ = made, batch_first_ = batch_first;
    return made;
  }

 private:
  const std::shared_ptr<const PackedStack<T>> packed_;
  const uint64_t fingerprint_;
  std::mutex mutex_;  // of what follows
  Plans plans_;
  bool batch_first_ = false;
};

template <class T> using KeptHolder = std::shared_ptr<Kept<T>>;

}  // namespace elman
