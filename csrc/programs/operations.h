// The operations of a program, each a function that runs over a block. Compiled once for each instruction
// set.
#pragma once

#include "programs/frame.h"
#include "simd/logarithm.h"

namespace elman {
namespace {

// to = f(a, b, c, d) for each vector of a register, and of the `count` registers from there on.
template <class V, class F>
ELMAN_INLINE void each(const Linked<Scalar<V>>& i, const Frame<Scalar<V>>& frame, const F& f) {
  using T = Scalar<V>;
  constexpr int L = Lanes<V>::count;
  T* to = frame.registers + i.to;
  const T *a = frame.registers + i.a, *b = frame.registers + i.b, *c = frame.registers + i.c,
          *d = frame.registers + i.d;
  for (int n = i.count;; to += frame.stride, a += frame.stride) {
#pragma GCC unroll 4
    for (std::ptrdiff_t v = 0; v < frame.count; v += L) store(to + v, f(a + v, b + v, c + v, d + v));
    if (--n <= 0) return;
  }
}

// f(row, unit, where in the register, extent of the row from there) for each vector, in the order in which
// memory is read best: the longer of rows and groups is the inner loop.
template <class V, class F> ELMAN_INLINE void each_row(const Frame<Scalar<V>>& frame, const F& f) {
  constexpr int L = Lanes<V>::count;
  const std::ptrdiff_t apart = std::ptrdiff_t{frame.rows} * L;
  const int left = frame.H - frame.unit, whole = frame.groups * L <= left ? frame.groups : left / L;
  if (whole > frame.rows) {
    for (int r = 0; r < frame.rows; ++r) {
      std::ptrdiff_t at = std::ptrdiff_t{r} * L;
#pragma GCC unroll 4
      for (int g = 0; g < whole; ++g, at += apart) f(r, frame.unit + g * L, at, std::true_type{}, L);
    }
  } else {
    std::ptrdiff_t at = 0;
    for (int g = 0; g < whole; ++g)
      for (int r = 0; r < frame.rows; ++r, at += L) f(r, frame.unit + g * L, at, std::true_type{}, L);
  }
  if (whole == frame.groups) return;
  const int unit = frame.unit + whole * L;
  for (int r = 0; r < frame.rows; ++r) f(r, unit, whole * apart + r * L, std::false_type{}, frame.H - unit);
}

template <class V, class Whole> ELMAN_INLINE V load_some(const Scalar<V>* p, Whole, int n) {
  if constexpr (Whole::value) return load<V>(p);
  else return load_first<V>(p, n);
}

template <class V> struct Operations {
  using T = Scalar<V>;
  using I = const Linked<T>&;
  using F = const Frame<T>&;
  using P = const T*;

  static ELMAN_INLINE V get(P p) { return load<V>(p); }
  static ELMAN_INLINE V one() { return splat<V>(1); }
  // The larger and the smaller; NaN if one of them is.
  static ELMAN_INLINE V larger_or_nan(V a, V b) { return a != a ? a : larger(a, b); }
  static ELMAN_INLINE V smaller_or_nan(V a, V b) { return a != a ? a : smaller(a, b); }

  // name: expression of a, b, c, d (the vectors) and n (the number).
#define ELMAN_EACH(name, expression)                                               \
  static void name(I i, F f) {                                                     \
    [[maybe_unused]] const V n = splat<V>(i.number);                               \
    each<V>(i, f, [&](P pa, P pb, P pc, P pd) ELMAN_INLINED {                      \
      [[maybe_unused]] const V a = get(pa), b = get(pb), c = get(pc), d = get(pd); \
      return expression;                                                           \
    });                                                                            \
  }
  ELMAN_EACH(add, a + b)
  ELMAN_EACH(sub, a - b)
  ELMAN_EACH(mul, a* b)
  ELMAN_EACH(div, a / b)
  ELMAN_EACH(fma, mul_add(a, b, c))
  ELMAN_EACH(fnma, mul_add(-a, b, c))
  ELMAN_EACH(max, larger_or_nan(a, b))
  ELMAN_EACH(min, smaller_or_nan(a, b))
  ELMAN_EACH(add_number, a + n)
  ELMAN_EACH(mul_number, a* n)
  ELMAN_EACH(from_number, n - a)
  ELMAN_EACH(max_number, larger(n, a))
  ELMAN_EACH(min_number, smaller(n, a))
  ELMAN_EACH(where_greater, a > b ? c : d)
  ELMAN_EACH(where_at_least, a >= b ? c : d)
  ELMAN_EACH(where_equal, a == b ? c : d)
  ELMAN_EACH(abs, larger(-a, a))
  ELMAN_EACH(sqrt, square_root(a))
  ELMAN_EACH(exp, exp_unbounded(a))
  ELMAN_EACH(log, elman::log(a))
  ELMAN_EACH(sigmoid, elman::sigmoid(a))
  ELMAN_EACH(tanh, elman::tanh(a))
  ELMAN_EACH(softplus, elman::softplus(a))
  ELMAN_EACH(dsigmoid, a* b*(one() - b))
  ELMAN_EACH(dtanh, a*(one() - b * b))
  ELMAN_EACH(dsigmoid3, a* b* c*(one() - c))
  ELMAN_EACH(dtanh3, a* b*(one() - c * c))
  ELMAN_EACH(constant, n)
#undef ELMAN_EACH

  template <class Rows>
  static ELMAN_INLINE void from_rows(const Rows* rows, std::ptrdiff_t offset, T* to, F f) {
    each_row<V>(f, [&](int r, int unit, std::ptrdiff_t at, auto whole, int n)
                       ELMAN_INLINED { store(to + at, load_some<V>(rows[r] + offset + unit, whole, n)); });
  }
  static ELMAN_INLINE void to_rows(T* const* rows, std::ptrdiff_t offset, I i, F f) {
    const T* from = f.registers + i.a;
    each_row<V>(f, [&](int r, int unit, std::ptrdiff_t at, auto whole, int n) ELMAN_INLINED {
      if constexpr (decltype(whole)::value) store(rows[r] + offset + unit, get(from + at));
      else store_first(rows[r] + offset + unit, get(from + at), n);
    });
  }

  static void load_state(I i, F f) {
    from_rows(f.rows_of->before[i.index] + f.row, 0, f.registers + i.to, f);
  }
  static void load_after(I i, F f) { from_rows(f.rows_of->after[i.index] + f.row, 0, f.registers + i.to, f); }
  static void load_tape(I i, F f) {
    T* to = f.registers + i.to;
    for (int n = 0; n < i.count; ++n, to += f.stride)
      from_rows(f.rows_of->slots + f.row, std::ptrdiff_t{i.index + n} * f.H, to, f);
  }
  // That of h comes from above too.
  static void load_gradient(I i, F f) {
    T* const to = f.registers + i.to;
    if (i.index) return from_rows(f.rows_of->d[i.index] + f.row, 0, to, f);
    const T *const *d = f.rows_of->d[0] + f.row, *const *dy = f.rows_of->dy + f.row;
    each_row<V>(f, [&](int r, int unit, std::ptrdiff_t at, auto whole, int n) ELMAN_INLINED {
      store(to + at, load_some<V>(d[r] + unit, whole, n) + load_some<V>(dy[r] + unit, whole, n));
    });
  }
  // The same for all rows.
  static void load_vector(I i, F f) {
    constexpr int L = Lanes<V>::count;
    const T* from = f.vectors + i.index * f.vector_next;
    T* to = f.registers + i.to;
    for (int g = 0; g < f.groups; ++g, from += f.vector_group) {
      const V v = load<V>(from);
      for (int r = 0; r < f.rows; ++r, to += L) store(to, v);
    }
  }
  // From the last group to the first: both may be the same register.
  static void spread(I i, F f) {
    constexpr int L = Lanes<V>::count;
    const T* from = f.registers + i.a;
    for (int g = f.groups - 1; g >= 0; --g) {
      const V v = load<V>(from + g * L);
      T* to = f.registers + i.to + std::ptrdiff_t{g} * f.rows * L;
      for (int r = 0; r < f.rows; ++r, to += L) store(to, v);
    }
  }
  // Numbers from 0 to 1 in steps of 2^-24, the same on every set and in both types.
  static void load_random(I i, F f) {
    constexpr int L = Lanes<V>::count;
    using Bits = Vec<uint32_t, L>;
    if (!f.draws) return constant(i, f);
    for (int r = 0; r < f.rows; ++r) {
      const uint64_t key = f.rows_of->keys[f.row + r] + uint64_t{0x9e3779b97f4a7c15u} * (i.index + 1);
      for (int g = 0; g < f.groups; ++g) {
        Bits unit = Bits{} + uint32_t(f.unit + g * L);
        if constexpr (L > 1) {
          for (int lane = 0; lane < L; ++lane) unit[lane] += lane;
        }
        const Bits x = scrambled(scrambled(unit + uint32_t(key)) + uint32_t(key >> 32)) >> 8;
        V v;
        if constexpr (L == 1) v = static_cast<T>(x);
        else v = __builtin_convertvector(x, V);
        store(f.registers + i.to + (std::ptrdiff_t{g} * f.rows + r) * L, v * splat<V>(T(1.0 / (1 << 24))));
      }
    }
  }
  // A hash of 32 bits (Wellons 2018, lowbias32).
  template <class Bits> static ELMAN_INLINE Bits scrambled(Bits x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
  }
  static void chance(I i, F f) {
    if (!f.draws) return constant(i, f);
    const V n = splat<V>(i.number), zero = V{}, yes = one();
    each<V>(i, f, [&](P pa, P, P, P) ELMAN_INLINED { return get(pa) < n ? yes : zero; });
  }
  // The same for all units.
  static void load_scalar(I i, F f) {
    per_row(f, f.registers + i.to,
            [&](int r) ELMAN_INLINED { return f.rows_of->scalars[f.row + r][i.index]; });
  }
  template <class Number> static ELMAN_INLINE void per_row(F f, T* to, const Number& number) {
    constexpr int L = Lanes<V>::count;
    for (int r = 0; r < f.rows; ++r) {
      const V v = splat<V>(number(r));
      for (int g = 0; g < f.groups; ++g) store(to + (std::ptrdiff_t{g} * f.rows + r) * L, v);
    }
  }
  static void load_read(I i, F f) { from_rows(f.rows_of->read[i.index] + f.row, 0, f.registers + i.to, f); }
  static void load_passed(I i, F f) {
    from_rows(f.rows_of->passed[i.index] + f.row, 0, f.registers + i.to, f);
  }
  static void load_left(I i, F f) {
    T* to = f.registers + i.to;
    for (int n = 0; n < i.count; ++n, to += f.stride)
      from_rows(f.rows_of->left + f.row, std::ptrdiff_t{i.index + n} * f.H, to, f);
  }
  static void store_left(I i, F f) { to_rows(f.rows_of->left + f.row, std::ptrdiff_t{i.index} * f.H, i, f); }
  static void store_read(I i, F f) { to_rows(f.rows_of->read[i.index] + f.row, 0, i, f); }
  static void load_statistic(I i, F f) {
    per_row(f, f.registers + i.to, [&](int r) ELMAN_INLINED {
      return f.rows_of->statistics[std::ptrdiff_t{f.row + r} * f.statistics + i.index];
    });
  }
  static void store_state(I i, F f) { to_rows(f.rows_of->after[i.index] + f.row, 0, i, f); }
  static void store_tape(I i, F f) { to_rows(f.rows_of->slots + f.row, std::ptrdiff_t{i.index} * f.H, i, f); }
  static void store_gradient(I i, F f) { to_rows(f.rows_of->d[i.index] + f.row, 0, i, f); }
  static void store_extra(I i, F f) {
    to_rows(f.rows_of->extra + f.row, std::ptrdiff_t{i.index} * f.H, i, f);
  }
};

// `lanes`: of a vector.
template <class T>
ELMAN_INLINE void execute(const LinkedProgram<T>& program, const Frame<T>& frame, int lanes) {
  const Linked<T>* const end = program.code + program.count;
  if (!program.once) {
    for (const Linked<T>* i = program.code; i < end; ++i) i->run(*i, frame);
    return;
  }
  Frame<T> once = frame;
  once.rows = 1;
  once.row = 0;  // where a column of one row lies
  once.count = std::ptrdiff_t{frame.groups} * lanes;
  for (const Linked<T>* i = program.code; i < end; ++i) i->run(*i, i->once ? once : frame);
}

}  // namespace
}  // namespace elman
