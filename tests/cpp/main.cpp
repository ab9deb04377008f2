// Runs without Python, for processors under emulation and for sanitizers: all parts of the engine, in both
// types, on every instruction set that this build has and this processor can run.
#include <cstdlib>

#include "selftest.h"

namespace {

// On any number of processors.
void allow_three_threads() {
#if defined(_WIN32)
  _putenv_s("ELMAN_OVERSUBSCRIBE", "1");
#else
  setenv("ELMAN_OVERSUBSCRIBE", "1", 1);
#endif
}

}  // namespace

int main() {
  using namespace elman;
  using namespace elman::selftest;
  allow_three_threads();
  test_meetings();  // first: calls of few threads must not pay for the many that it leaves behind
  test_stepper();
  test_contract();
  for (const Isa* isa : isas()) {
    use_isa(isa->name);
    for (const auto test : {test_recurrent, test_callers, test_update, test_linear, test_embedding,
                            test_attention, test_cross_entropy, test_ctc, test_gradient_parts})
      test(*isa);
    std::printf("%s compared\n", isa->name);
  }
  std::printf("%d failures\n", failures);
  return failures != 0;
}
