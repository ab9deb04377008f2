// The cells of cells/cells.h as the host sees them.
#pragma once

#include <string>
#include <vector>

#include "cells/cell.h"

namespace elman::cuda {

struct CellShape {
  std::string name;
  int slots, states, gates;
  Feed x, h;
};
const std::vector<CellShape>& cell_shapes();

}  // namespace elman::cuda
