// Programs that are affine in what they read: the recurrence of an elementwise cell such as a linear one, and
// its way back. They are found by what their instructions compute, and then done as one (programs/affine.h).
#pragma once

#include "cells/cell.h"

namespace elman {

struct Program;

// For each of its states k: constant + the sum of factor * state, in the order of the terms. On the way back
// the same of gradients, without a constant; each gradient is also left in a column. Columns are numbered as
// those of a Statistic; those of one row are left ones, and come behind all of these.
//
// Or, of one state, a mixture: state + factor * (constant - state), in these words, since 1 - factor would
// lose what a small factor says; the way there may keep constant - state. On its way back gradient - factor *
// gradient.
struct Affine {
  static constexpr int most = 2;                  // states
  static constexpr int of_one = 2 * max_columns;  // the first column of one row
  int count = 0;                                  // 0: the program is none
  bool mixture = false;
  int state[most] = {};
  int constant[most] = {};                           // there
  int kept[most] = {};                               // back, and of a mixture there, too; -1: none
  int factor[most][most] = {}, of[most][most] = {};  // columns, and which of the states they multiply
};

Affine affine_of(const Program& program, bool back);

}  // namespace elman
