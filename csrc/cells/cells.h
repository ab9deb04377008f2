// The list of cells. A new cell is one header and one entry here.
#pragma once

#include "cells/gru.h"
#include "cells/lstm.h"
#include "cells/rnn.h"

namespace elman {
namespace {

template <class... Cell> struct CellList {
  static constexpr int count = sizeof...(Cell);
};

using Cells = CellList<Rnn<Tanh>, Rnn<Relu>, Lstm, Gru>;

}  // namespace
}  // namespace elman
