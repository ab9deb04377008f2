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
  const std::ptrdiff_t count = std::ptrdiff_t{frame.rows_in(i.alike)} * frame.groups_in(i.alike) * L;
  const std::ptrdiff_t stride = frame.stride;
  for (int n = i.count;; to += stride, a += stride) {
#pragma GCC unroll 4
    for (std::ptrdiff_t v = 0; v < count; v += L) store(to + v, f(a + v, b + v, c + v, d + v));
    if (--n <= 0) return;
  }
}

// The same where some of a, b, c and d, of which there are N, are alike in rows or units in which the result
// is not. The longer of rows and groups is the inner loop.
template <int N, class V, class F>
ELMAN_INLINE void each_mixed(const Linked<Scalar<V>>& i, const Frame<Scalar<V>>& frame, const F& f) {
  using T = Scalar<V>;
  constexpr int L = Lanes<V>::count;
  const int rows = frame.rows_in(i.alike), groups = frame.groups_in(i.alike);
  const bool by_row = rows > groups;
  const int inner = by_row ? rows : groups, outer = by_row ? groups : rows;
  const auto in = [&](const Strides& s) ELMAN_INLINED { return by_row ? s.row : s.group; };
  const auto out = [&](const Strides& s) ELMAN_INLINED { return by_row ? s.group : s.row; };
  const Strides st(frame, i.alike, L), sa(frame, i.of[0], L), sb(frame, i.of[1], L),
      sc(frame, N > 2 ? i.of[2] : 0, L), sd(frame, N > 3 ? i.of[3] : 0, L);
  const std::ptrdiff_t it = in(st), ia = in(sa), ib = in(sb), ic = in(sc), id = in(sd);
  for (int o = 0; o < outer; ++o) {
    T* to = frame.registers + i.to + o * out(st);
    const T *a = frame.registers + i.a + o * out(sa), *b = frame.registers + i.b + o * out(sb),
            *c = N > 2 ? frame.registers + i.c + o * out(sc) : a,
            *d = N > 3 ? frame.registers + i.d + o * out(sd) : a;
#pragma GCC unroll 2
    for (int k = 0; k < inner; ++k) {
      store(to, f(a, b, c, d));
      to += it, a += ia, b += ib;
      if constexpr (N > 2) c += ic;
      if constexpr (N > 3) d += id;
    }
  }
}

// f(row, unit, where in the register, extent of the row from there) for each vector of `rows` rows, in the
// order in which memory is read best: the longer of rows and groups is the inner loop.
template <class V, class F>
ELMAN_INLINE void each_row(const Frame<Scalar<V>>& frame, int rows, const Strides& apart, const F& f) {
  constexpr int L = Lanes<V>::count;
  const int first = frame.unit, groups = frame.groups, left = frame.H - first;
  const int whole = groups * L <= left ? groups : left / L;
  if (whole > rows) {
    for (int r = 0; r < rows; ++r) {
      std::ptrdiff_t at = r * apart.row;
#pragma GCC unroll 4
      for (int g = 0; g < whole; ++g, at += apart.group) f(r, first + g * L, at, std::true_type{}, L);
    }
  } else {
    for (int g = 0; g < whole; ++g) {
      std::ptrdiff_t at = g * apart.group;
      for (int r = 0; r < rows; ++r, at += apart.row) f(r, first + g * L, at, std::true_type{}, L);
    }
  }
  if (whole == groups) return;
  const int unit = first + whole * L;
  for (int r = 0; r < rows; ++r)
    f(r, unit, whole * apart.group + r * apart.row, std::false_type{}, left - whole * L);
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

  // name: expression of a, b, c, d (the vectors) and n (the number). Of one vector it is never mixed.
#define ELMAN_EACH_OF(name, expression, reads)                                     \
  static void name(I i, F f) {                                                     \
    [[maybe_unused]] const V n = splat<V>(i.number);                               \
    const auto make = [&](P pa, P pb, P pc, P pd) ELMAN_INLINED {                  \
      [[maybe_unused]] const V a = get(pa), b = get(pb), c = get(pc), d = get(pd); \
      return expression;                                                           \
    };                                                                             \
    if constexpr (reads > 1)                                                       \
      if (i.mixed & f.parted()) return each_mixed<reads, V>(i, f, make);           \
    each<V>(i, f, make);                                                           \
  }
#define ELMAN_EACH(name, expression) \
  ELMAN_EACH_OF(name, expression, operation_reads[static_cast<int>(Operation::name)])
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
#undef ELMAN_EACH_OF

  static constexpr int L = Lanes<V>::count;

  // `alike`: of the register.
  template <class Rows>
  static ELMAN_INLINE void from_rows(const Rows* rows, std::ptrdiff_t offset, T* to, F f, int alike = 0) {
    each_row<V>(f, f.rows_in(alike), Strides(f, alike, L),
                [&](int r, int unit, std::ptrdiff_t at, auto whole, int n)
                    ELMAN_INLINED { store(to + at, load_some<V>(rows[r] + offset + unit, whole, n)); });
  }
  // with(v, where it goes) for each vector.
  template <class With>
  static ELMAN_INLINE void to_rows(T* const* rows, std::ptrdiff_t offset, I i, F f, const With& with) {
    const T* from = f.registers + i.a;
    each_row<V>(f, i.once ? 1 : f.rows, Strides(f, i.of[0], L),
                [&](int r, int unit, std::ptrdiff_t at, auto whole, int n) ELMAN_INLINED {
                  T* const to = rows[r] + offset + unit;
                  const V v = with(get(from + at), to, whole, n);
                  if constexpr (decltype(whole)::value) store(to, v);
                  else store_first(to, v, n);
                });
  }
  static ELMAN_INLINE void to_rows(T* const* rows, std::ptrdiff_t offset, I i, F f) {
    to_rows(rows, offset, i, f, [](V v, const T*, auto, int) ELMAN_INLINED { return v; });
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
    each_row<V>(f, f.rows, Strides(f, 0, L),
                [&](int r, int unit, std::ptrdiff_t at, auto whole, int n) ELMAN_INLINED {
                  const V above = load_some<V>(dy[r] + unit, whole, n);
                  store(to + at, load_some<V>(d[r] + unit, whole, n) + above);
                });
  }
  static void load_vector(I i, F f) {
    const T* from = f.vectors + i.index * f.vector_next;
    T* to = f.registers + i.to;
    const std::ptrdiff_t next = f.vector_group;
    for (int g = 0, groups = f.groups; g < groups; ++g, from += next, to += L) store(to, load<V>(from));
  }
  // Numbers from 0 to 1 in steps of 2^-24, the same on every set and in both types.
  static void load_random(I i, F f) {
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
  static void load_scalar(I i, F f) {
    T* to = f.registers + i.to;
    const T* const* scalars = f.rows_of->scalars + f.row;
    for (int r = 0, rows = f.rows, k = i.index; r < rows; ++r, to += L) store(to, splat<V>(scalars[r][k]));
  }
  static void load_read(I i, F f) { from_rows(f.rows_of->read[i.index] + f.row, 0, f.registers + i.to, f); }
  static void load_passed(I i, F f) {
    from_rows(f.rows_of->passed[i.index] + f.row, 0, f.registers + i.to, f);
  }
  // A column of one row lies where that of the first row would.
  static T* const* left(I i, F f) { return f.rows_of->left + (i.once ? 0 : f.row); }
  static void load_left(I i, F f) {
    T* to = f.registers + i.to;
    for (int n = 0; n < i.count; ++n, to += f.stride)
      from_rows(left(i, f), std::ptrdiff_t{i.index + n} * f.H, to, f, i.alike);
  }
  static void store_left(I i, F f) { to_rows(left(i, f), std::ptrdiff_t{i.index} * f.H, i, f); }
  static void store_read(I i, F f) { to_rows(f.rows_of->read[i.index] + f.row, 0, i, f); }
  static void load_statistic(I i, F f) {
    T* to = f.registers + i.to;
    const std::ptrdiff_t each = f.statistics;
    const T* from = f.rows_of->statistics + f.row * each + i.index;
    for (int r = 0, rows = f.rows; r < rows; ++r, to += L, from += each) store(to, splat<V>(*from));
  }
  static void store_state(I i, F f) { to_rows(f.rows_of->after[i.index] + f.row, 0, i, f); }
  static void store_tape(I i, F f) { to_rows(f.rows_of->slots + f.row, std::ptrdiff_t{i.index} * f.H, i, f); }
  static void store_gradient(I i, F f) { to_rows(f.rows_of->d[i.index] + f.row, 0, i, f); }
  static void add_vector(I i, F f) {
    to_rows(f.rows_of->d_vectors + f.row, std::ptrdiff_t{i.index} * f.H, i, f,
            [](V v, const T* to, auto whole, int n) ELMAN_INLINED { return load_some<V>(to, whole, n) + v; });
  }
  static void add_scalar(I i, F f) {
    to_rows(f.rows_of->d_scalars + f.row, std::ptrdiff_t{i.index} * f.H, i, f);
  }
};

template <class T> ELMAN_INLINE void execute(const LinkedProgram<T>& program, const Frame<T>& frame) {
  const Linked<T>* const end = program.code + program.count;
  for (const Linked<T>* i = program.code; i < end; ++i) i->run(*i, frame);
}

}  // namespace
}  // namespace elman
