#include "cuda/launch_scan.inc"

namespace elman::cuda {

template const Kernels<float>* kernels<float>();
template void launch_scan(int, Job<ForwardSide<float>>, int, const Schedule&, Stream);
template void launch_scan(int, Job<BackwardSide<float>>, int, const Schedule&, Stream);

}  // namespace elman::cuda
