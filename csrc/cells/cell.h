// The contract of a cell: what one unit does in one step, as pure maths over a scalar or vector V.
//
// A slot is one pre-activation of a unit. Slots are ordered so that those fed by the input x and those
// fed by the previous h are each one contiguous range (Feed); the engine starts every slot with its
// bias and adds both products, so no cell needs a special case.
//
//   struct Cell {
//     static constexpr const char* name;
//     static constexpr int slots, states;   // states[0] is h
//     static constexpr int gates;           // row blocks of H in weight_ih and weight_hh
//     static constexpr Feed x, h;
//     // a: pre-activations in, what backward needs out.  s: states before the step in, after it out.
//     template <class V> static void forward(V* a, V* s);
//     // a: as forward left it in, gradient of the pre-activations out.  s, s1: states before and after.
//     // d: gradient of s1 in, gradient of s out, less what flows through the slots (the engine adds it).
//     template <class V> static void backward(V* a, const V* s, const V* s1, V* d);
//   };
#pragma once

namespace elman {

constexpr int max_slots = 4, max_states = 2;

// Slots [begin, end) receive one product; gate[i] is the row block of slot begin + i in the weights.
struct Feed {
  int begin, end;
  int gate[max_slots];
  constexpr int count() const { return end - begin; }
};

}  // namespace elman
