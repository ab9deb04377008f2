// Sums of probabilities that are given as logarithms.
#pragma once

namespace elman {

struct LogSumKernels {  // functions of rows of n log-probabilities, for which -1e300 stands in place of
                        // -infinity
  // to = log(exp(a) + exp(b) + exp(c + d)); where a is NaN, so is the sum.
  void (*sum)(const double* a, const double* b, const double* c, const double* d, int n, double* to);
  // to = exp(a + b + shift)
  void (*exp)(const double* a, const double* b, double shift, int n, double* to);
};

}  // namespace elman
