// The contract of a cell: what one unit does in one step, as pure maths over a scalar or vector V.
//
// A slot is one pre-activation of a unit. Slots are ordered so that those fed by the input x and those
// fed by the previous h are each one contiguous range (Feed); the engine starts every slot with its
// bias and adds both products, so no cell needs a special case.
//
//   struct Cell {
//     static constexpr CellFacts facts;
//     static constexpr int slots, states, gates;  // how many, as the facts say
//     static constexpr Feed x, h;                 // the facts' own
//     // a: pre-activations in, what backward needs out.  s: states before the step in, after it out.
//     template <class V> static void forward(V* a, V* s);
//     // a: as forward left it in, gradient of the pre-activations out.  s, s1: states before and after.
//     // d: gradient of s1 in, gradient of s out, less what flows through the slots (the engine adds it).
//     template <class V> static void backward(V* a, const V* s, const V* s1, V* d);
//   };
#pragma once

namespace elman {

constexpr int max_slots = 4, max_states = 4;

// Slots [begin, end) receive one product; gate[i] is the row block of slot begin + i in the weights.
struct Feed {
  int begin, end;
  int gate[max_slots];
  constexpr int count() const { return end - begin; }
};

// What everybody else knows of a cell: said once, in its header.
struct CellFacts {
  const char* name;
  int slots;
  Feed x, h;
  const char* states[max_states];  // h first; null where there are no more
  const char* gates[max_slots];    // row blocks of H in weight_ih and weight_hh, likewise
  double bias[max_slots];          // what the bias of each gate begins with

  constexpr int state_count() const { return count(states, max_states); }
  constexpr int gate_count() const { return count(gates, max_slots); }

 private:
  static constexpr int count(const char* const* names, int most) {
    int n = 0;
    while (n < most && names[n]) ++n;
    return n;
  }
};

}  // namespace elman
