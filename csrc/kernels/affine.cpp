#include "kernels/affine.h"

#include <vector>

#include "kernels/program.h"

namespace elman {
namespace {

// What a register holds.
struct Value {
  enum Kind { other, column, state, sum, difference } kind = other;
  int which = 0;         // the column, or the state's number in the cell; of a difference the state's
  bool mixture = false;  // of a sum
  int constant = -1, terms = 0, factor[Affine::most] = {}, of[Affine::most] = {};
};

class Reader {
 public:
  Reader(const Program& program, bool back) : program_(program), back_(back), registers_(max_registers) {}

  Affine read() {
    for (int n = 0; n < program_.count; ++n)
      if (!take(program_.code[n])) return {};
    return complete() ? found_ : Affine{};
  }

 private:
  bool take(const Instruction& i) {
    if (i.once && i.operation != Operation::load_left) return false;  // a store for one row
    Value none;
    Value& to = stores(i.operation) ? none : registers_[i.to];
    const Value &a = registers_[i.from[0]], &b = registers_[i.from[1]], &c = registers_[i.from[2]];
    switch (i.operation) {
      case Operation::load_tape:
        return load(i, Value::column, 0);
      case Operation::load_left:
        return load(i, Value::column, i.once ? Affine::of_one : max_columns);
      case Operation::load_state:
        return !back_ && load(i, Value::state, 0);
      case Operation::load_gradient:
        return back_ && load(i, Value::state, 0);
      case Operation::mul:
        return back_ && i.count == 1 && add(a, b, Value{}, &to);
      case Operation::fma:
        if (a.kind == Value::difference || b.kind == Value::difference) return !back_ && mix(a, b, c, &to);
        return i.count == 1 && add(a, b, c, &to);
      case Operation::sub:
        return !back_ && subtract(a, b, &to);
      case Operation::fnma:
        return back_ && mix(a, b, c, &to);
      case Operation::store_left:
        return back_ && keep(a, max_columns + i.index);
      case Operation::store_tape:
        return !back_ && keep_difference(a, i.index);
      case Operation::store_state:
        return !back_ && store(a, i.index);
      case Operation::store_gradient:
        return back_ && store(a, i.index);
      default:
        return false;
    }
  }

  bool load(const Instruction& i, Value::Kind kind, int first) {
    for (int n = 0; n < i.count; ++n) {
      Value one;
      one.kind = kind;
      one.which = first + i.index + n;
      registers_[i.to + n] = one;
    }
    return true;
  }

  // to = a * b + c, of which one is a column and one a state.
  bool add(const Value& a, const Value& b, const Value& c, Value* to) {
    const Value& factor = a.kind == Value::column ? a : b;
    const Value& state = a.kind == Value::column ? b : a;
    if (factor.kind != Value::column || state.kind != Value::state) return false;
    const int place = place_of(state.which);
    Value made = c.kind == Value::sum ? c : Value{};
    if (c.kind == Value::column) made.constant = c.which;
    if (place < 0 || made.terms == Affine::most || c.kind == Value::state) return false;
    made.kind = Value::sum;
    made.factor[made.terms] = factor.which;
    made.of[made.terms++] = place;
    *to = made;
    return true;
  }

  // to = column - state
  static bool subtract(const Value& a, const Value& b, Value* to) {
    if (a.kind != Value::column || b.kind != Value::state) return false;
    Value made;
    made.kind = Value::difference;
    made.which = b.which;
    made.constant = a.which;
    *to = made;
    return true;
  }

  // to = state + column * difference from the state; back state - column * state.
  bool mix(const Value& a, const Value& b, const Value& c, Value* to) {
    const Value& factor = a.kind == Value::column ? a : b;
    const Value& other = a.kind == Value::column ? b : a;
    const auto wanted = back_ ? Value::state : Value::difference;
    if (factor.kind != Value::column || other.kind != wanted || c.kind != Value::state) return false;
    if (other.which != c.which || place_of(c.which) != 0) return false;
    Value made;
    made.kind = Value::sum;
    made.mixture = true;
    made.constant = other.constant;
    made.factor[0] = factor.which;
    made.terms = 1;
    *to = made;
    return true;
  }

  bool keep_difference(const Value& a, int column) {
    if (a.kind != Value::difference || place_of(a.which) != 0 || kept_[0]) return false;
    kept_[0] = true;
    found_.kept[0] = column;
    difference_ = a.constant;
    return true;
  }

  // The place of a state among those that are read.
  int place_of(int state) {
    for (int k = 0; k < found_.count; ++k)
      if (found_.state[k] == state) return k;
    if (found_.count == Affine::most) return -1;
    found_.state[found_.count] = state;
    return found_.count++;
  }

  bool keep(const Value& a, int column) {
    const int k = a.kind == Value::state ? place_of(a.which) : -1;
    if (k < 0 || kept_[k]) return false;
    kept_[k] = true;
    found_.kept[k] = column;
    return true;
  }

  bool store(const Value& a, int state) {
    const int k = a.kind == Value::sum ? place_of(state) : -1;
    if (k < 0 || stored_[k]) return false;
    stored_[k] = true;
    sums_[k] = a;
    return true;
  }

  // Whether each state is stored, from all of them.
  bool complete() {
    found_.mixture = found_.count == 1 && sums_[0].mixture;
    if (found_.mixture && !kept_[0]) found_.kept[0] = -1;
    if (found_.mixture && kept_[0] && !back_ && difference_ != sums_[0].constant) return false;
    for (int k = 0; k < found_.count; ++k) {
      const Value& sum = sums_[k];
      const bool kept_right = kept_[k] == back_ || (found_.mixture && !back_);
      if (!stored_[k] || sum.terms != found_.count || (sum.constant < 0) != back_ || !kept_right)
        return false;
      if (sum.mixture != found_.mixture) return false;
      if (sum.terms == 2 && sum.of[0] == sum.of[1]) return false;
      found_.constant[k] = sum.constant;
      for (int n = 0; n < sum.terms; ++n) found_.factor[k][n] = sum.factor[n], found_.of[k][n] = sum.of[n];
    }
    return found_.count > 0;
  }

  const Program& program_;
  const bool back_;
  std::vector<Value> registers_;
  Affine found_;
  Value sums_[Affine::most];
  int difference_ = -1;  // the column of the difference that is kept
  bool kept_[Affine::most] = {}, stored_[Affine::most] = {};
};

}  // namespace

Affine affine_of(const Program& program, bool back) { return Reader(program, back).read(); }

}  // namespace elman
