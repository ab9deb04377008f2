// The list of cells. A new cell is one header and one entry here.
#pragma once

#include "cells/gru.h"
#include "cells/lstm.h"
#include "cells/rnn.h"

namespace elman {
namespace {

template <class... Cell> struct CellList {
  static_assert((Cell::facts.sound() && ...), "the facts of a cell do not fit: see CellFacts::sound");
  static constexpr int count = sizeof...(Cell);
};

using Cells = CellList<Rnn<Tanh>, Rnn<Relu>, Lstm, Gru>;

}  // namespace
}  // namespace elman
