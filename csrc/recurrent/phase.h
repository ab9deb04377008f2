// Which part of a step is computed.
#pragma once

namespace elman {
namespace {

// The x-part of a slot can be computed with the h-part, or ahead of it for many steps at once into the
// slots buffer. Both add the same terms in the same order, so the bits are the same. Where a step of a
// compiled cell has more than one stage the x-part is always computed ahead, and each stage adds its own
// product to what is there. The slots of a program's later stages have no x-part.
enum class Phase { whole, ahead, after };

}  // namespace
}  // namespace elman
