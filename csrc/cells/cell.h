// The contract of a cell: what one unit does in one step, as pure maths over a scalar or vector V.
//
// A slot is one pre-activation of a unit. Slots are ordered so that those fed by the input x and those fed by
// the previous h are each one contiguous range (Feed). The engine starts every slot with its bias and adds
// both products, so no cell needs a special case.
//
//   struct Name : CellConstants<Name> {
//     static constexpr CellFacts facts;
//     // a: pre-activations in, what backward needs out.  s: states before the step in, after it out.
//     template <class V> void forward(V* a, V* s) const;
//     // a: as forward left it in, gradients of the pre-activations out.  s, s1: states before and after.
//     // d: gradients of s1 in, gradients of s out. What comes through the slots is left to the engine.
//     template <class V> void backward(V* a, const V* s, const V* s1, V* d) const;
//   };
//
// A step of more than one stage: the recurrent product of the first stage reads h, that of the next one reads
// what the stage before passed on. A slot is fed by the product of one stage at most. `forward` runs after
// the last stage, `pass_on` after each stage j before it and gives what stage j + 1 reads:
//     template <class V> V pass_on(int j, V* a, const V* s) const;
// On the way back `backward` comes first. It makes no gradients of slots that `pass_on` has read: theirs are
// not complete yet. Then `pass_back` is called for each stage j, the last first, with the gradient `dp` of
// what the stage passed on. It adds to d, and makes the gradients of the slots that are left. It must not
// change slots that the products of later stages feed:
//     template <class V> void pass_back(int j, V* a, const V* s, V dp, V* d) const;
//
// That is a cell which is compiled. One that is known only at run time has the same facts, and programs in
// the place of its maths (kernels/program.h), one for each stage; what a stage leaves for later ones lies in
// columns, of the tape or of a buffer of the step. Only such a cell may have vectors, of one number for each
// unit (peepholes, say), and scalars, of one number for each row that the caller gives.
#pragma once

namespace elman {

constexpr int max_slots = 16, max_states = 8, max_vectors = 16, max_scalars = 4, max_stages = 6;
constexpr int max_columns = 64;     // of what a tape keeps of a unit at a step
constexpr int max_statistics = 32;  // of the rows of a step
constexpr int elementwise_programs = 3;

// Slots [begin, end) receive one product. gate[i] is the gate of slot begin + i: which H rows of the
// product's weights feed it.
struct Feed {
  int begin, end;
  int gate[max_slots];
  constexpr int count() const { return end - begin; }
  constexpr int gates() const {
    int n = 0;
    for (int i = 0; i < count(); ++i) n = gate[i] + 1 > n ? gate[i] + 1 : n;
    return n;
  }
  constexpr bool feeds(int slot) const { return begin <= slot && slot < end; }
};

// What everybody else knows of a cell: said once, in its header.
struct CellFacts {
  const char* name;
  int slots;
  Feed x, h;
  const char* states[max_states];  // h first; null where there are no more
  const char* gates[max_slots];    // H rows each in weight_ih, likewise
  double bias[max_slots] = {};     // what bias_ih begins with, for each gate
  // Which slots the product with what a stage passed on feeds; empty where it passed on nothing.
  Feed later[max_stages - 1] = {};
  const char* vectors[max_vectors] = {};  // likewise
  const char* scalars[max_scalars] = {};
  double bias_h[max_slots] = {};  // as `bias`, of bias_hh
  bool draws = false;             // random numbers, in training
  int more_columns = 0;           // of the tape, beyond one for each slot
  int left = 0;                   // columns between the stages of one step
  int statistics = 0;             // that the tape keeps of an entry
  int least_stages = 1;           // those behind the last product have statistics alone
  // No product reads a state, so a unit needs no other one. Such a cell has three programs: what needs no
  // state, the recurrence, and what no later step needs. The first and the last run for many steps at once.
  bool elementwise = false;
  bool carried[max_states] = {};  // of an elementwise cell: the states that a step reads

  constexpr int state_count() const { return count(states, max_states); }
  constexpr int vector_count() const { return count(vectors, max_vectors); }
  constexpr int scalar_count() const { return count(scalars, max_scalars); }
  constexpr int columns() const { return slots + more_columns; }
  // Of weight_ih and of weight_hh: H rows each.
  constexpr int x_gates() const { return x.gates(); }
  constexpr int h_gates() const {
    int n = h.gates();
    for (const Feed& feed : later) n = feed.gates() > n ? feed.gates() : n;
    return n;
  }
  constexpr int stage_count() const {
    int n = least_stages;
    for (int j = 1; j < max_stages; ++j)
      if (later[j - 1].count() && j >= n) n = j + 1;
    return n;
  }

  constexpr int program_count() const { return elementwise ? elementwise_programs : stage_count(); }

  // How many later stages before this one have a product, and so a row that it reads.
  constexpr int reads_before(int stage) const {
    int n = 0;
    for (int j = 1; j < stage; ++j) n += later[j - 1].count() > 0;
    return n;
  }

  // What the recurrent product of a stage feeds.
  constexpr const Feed& stage(int j) const { return j ? later[j - 1] : h; }
  // The slots that recurrent products feed, of all stages.
  constexpr int recurrent_slots() const {
    int n = h.count();
    for (const Feed& feed : later) n += feed.count();
    return n;
  }

  // Whether a step has one stage, no vectors, and for each gate one slot in each of its products.
  constexpr bool simple() const {
    return stage_count() == 1 && vector_count() == 0 && scalar_count() == 0 && fed_once(x) && fed_once(h);
  }

  // Whether these fit: feeds are of slots and gates that there are, and no slot has the products of two
  // stages.
  constexpr bool sound() const {
    bool fits = 0 < slots && slots <= max_slots && state_count() && sound(x) && sound(h) && x.count() &&
                count(gates, max_slots) == x_gates();
    for (const Feed& feed : later) {
      fits = fits && sound(feed);
      for (int slot = 0; slot < slots; ++slot) fits = fits && !(h.feeds(slot) && feed.feeds(slot));
    }
    return fits;
  }

 private:
  constexpr bool sound(const Feed& feed) const {
    bool fits = 0 <= feed.begin && feed.begin <= feed.end && feed.end <= slots;
    for (int i = 0; fits && i < feed.count(); ++i) fits = 0 <= feed.gate[i] && feed.gate[i] < slots;
    return fits;
  }
  constexpr bool fed_once(const Feed& feed) const {
    int times[max_slots] = {};
    for (int i = 0; i < feed.count(); ++i) ++times[feed.gate[i]];
    for (int gate = 0; gate < feed.gates(); ++gate)
      if (times[gate] != 1) return false;
    return true;
  }
  static constexpr int count(const char* const* names, int most) {
    int n = 0;
    while (n < most && names[n]) ++n;
    return n;
  }
};

// The facts as constants of the type, for kernels.
template <class Cell> struct CellConstants {
  static constexpr int slots = Cell::facts.slots, columns = Cell::facts.columns(),
                       states = Cell::facts.state_count(), gates = Cell::facts.x_gates(),
                       stages = Cell::facts.stage_count();
  static constexpr Feed x = Cell::facts.x, h = Cell::facts.h;
};

}  // namespace elman
