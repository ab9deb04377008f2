// What the parts of the self-test share: random arrays, and how results are compared.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "kernels/dispatch.h"
#include "machine/threads.h"

namespace elman::selftest {

template <class T> using Values = std::vector<T>;
template <class T> using Results = std::vector<Values<T>>;  // all arrays that a call gives

// What must be written is filled with this, and so is what must not be read.
template <class T> constexpr T not_a_number = std::numeric_limits<T>::quiet_NaN();

template <class T> constexpr bool is_float = sizeof(T) == sizeof(float);

inline int failures = 0;
inline void fail(const std::string& what) {
  ++failures;
  std::printf("%s\n", what.c_str());
}

// A case as messages call it: the instruction set, the type, what is tested, and its sizes.
template <class T> std::string label(const Isa& isa, const std::string& name, const std::vector<int>& sizes) {
  std::string text = std::string(isa.name) + (is_float<T> ? " float32 " : " float64 ") + name;
  for (const int size : sizes) text += " " + std::to_string(size);
  return text;
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  int below(int n) { return static_cast<int>(next() % n); }
  // Nearly: the sum of four numbers that are equally distributed, with a variance of 1.
  double normal() {
    const uint64_t bits = next();
    double sum = 0;
    for (int shift = 0; shift < 64; shift += 16) sum += static_cast<double>(bits >> shift & 0xffff) / 65535;
    return (sum - 2) * 1.7320508075688772;
  }
  template <class T> Values<T> normals(std::size_t n, double scale = 1) {
    Values<T> values(n);
    for (T& value : values) value = static_cast<T>(scale * normal());
    return values;
  }
  // B lengths of at most T, the first of them `first`.
  std::vector<int64_t> lengths(int B, int T, int first) {
    std::vector<int64_t> lengths(B, first);
    for (int b = 1; b < B; ++b) lengths[b] = below(T + 1);
    return lengths;
  }

 private:
  uint64_t next() {  // SplitMix64
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t state_;
};

template <class T> Values<double> widened(const Values<T>& values) { return {values.begin(), values.end()}; }

// A pointer to the values, or null where there are to be none.
template <class T> T* data_if(bool wanted, Values<T>& values) { return wanted ? values.data() : nullptr; }

// Two infinities of one sign are no distance apart, and neither are two NaN.
inline double distance(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b)) ? 0 : std::fabs(a - b);
}

// All values are those wanted, but for rounding errors of a computation in T: relative to the largest of an
// array, and to 1.
template <class T, class Got, class Wanted>
void expect_close(const std::string& what, const Results<Got>& got, const Results<Wanted>& want) {
  double error = got.size() == want.size() ? 0 : not_a_number<double>;
  for (std::size_t i = 0; i < std::min(got.size(), want.size()); ++i) {
    if (got[i].size() != want[i].size()) error = not_a_number<double>;
    double largest = 1;
    for (const double value : want[i])
      if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
    for (std::size_t j = 0; j < std::min(got[i].size(), want[i].size()); ++j) {
      const double off = distance(double(got[i][j]), double(want[i][j])) / largest;
      if (!(off <= error) && !std::isnan(error)) error = off;  // NaN counts, and stays
    }
  }
  char text[40];
  std::snprintf(text, sizeof text, ": off by %g", error);
  if (!(error <= (is_float<T> ? 2e-5 : 1e-13))) fail(what + text);
}

template <class T>
void expect_same_bits(const std::string& what, const Results<T>& got, const Results<T>& want) {
  bool same = got.size() == want.size();
  for (std::size_t i = 0; same && i < got.size(); ++i)
    same = got[i].size() == want[i].size() &&
           (got[i].empty() || std::memcmp(got[i].data(), want[i].data(), got[i].size() * sizeof(T)) == 0);
  if (!same) fail(what + ": other bits");
}

// What `call` gives with one thread; with three, it must give the same bits.
template <class Call> auto with_threads(const std::string& what, const Call& call) {
  set_num_threads(1);
  const auto alone = call();
  set_num_threads(3);
  expect_same_bits(what + ", with threads", call(), alone);
  return alone;
}

// The parts; all but the first three are for the instruction set in use.
void test_stepper();
void test_contract();
void test_meetings();
void test_recurrent(const Isa& isa);
void test_callers(const Isa& isa);
void test_update(const Isa& isa);
void test_linear(const Isa& isa);
void test_embedding(const Isa& isa);
void test_attention(const Isa& isa);
void test_cross_entropy(const Isa& isa);
void test_ctc(const Isa& isa);
void test_gradient_parts(const Isa& isa);

}  // namespace elman::selftest
