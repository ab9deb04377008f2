#include "cuda/launch_scan.inc"

namespace elman::cuda {

template const Kernels<Bfloat16>* kernels<Bfloat16>();
template void launch_scan(int, Job<ForwardSide<Bfloat16>>, int, const Schedule&, Stream);
template void launch_scan(int, Job<BackwardSide<Bfloat16>>, int, const Schedule&, Stream);

}  // namespace elman::cuda
