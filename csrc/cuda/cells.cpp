#include "cuda/cells.h"

#include "cells/cells.h"

namespace elman::cuda {
namespace {

template <class... Cell> std::vector<CellShape> shapes(CellList<Cell...>) {
  return {{Cell::facts.name, Cell::slots, Cell::states, Cell::gates, Cell::x, Cell::h}...};
}

}  // namespace

const std::vector<CellShape>& cell_shapes() {
  static const std::vector<CellShape> all = shapes(Cells{});
  return all;
}

}  // namespace elman::cuda
