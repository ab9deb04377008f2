# elman_engine(target): the engine's sources and one object per instruction set of the target's processor.

set(ELMAN_CSRC ${CMAKE_CURRENT_LIST_DIR})

# isa/*.cpp, the parts of an instruction set, with its flags; compiled once however many targets use them.
# -ffp-contract=off: see mul_add in simd/vec.h.
function(elman_isa target name)
  if(NOT TARGET elman_isa_${name})
    file(GLOB parts CONFIGURE_DEPENDS ${ELMAN_CSRC}/isa/*.cpp)
    add_library(elman_isa_${name} OBJECT ${parts})
    target_include_directories(elman_isa_${name} PRIVATE ${ELMAN_CSRC})
    target_compile_definitions(elman_isa_${name} PRIVATE "ELMAN_ISA_HEADER=\"isa/${name}.h\"")
    set_target_properties(elman_isa_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON)
    target_compile_options(elman_isa_${name} PRIVATE
      -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-exceptions ${ARGN})
  endif()
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:elman_isa_${name}>)
endfunction()

function(elman_engine target)
  set(rooms kernels layers losses machine optim probes recurrent)
  list(TRANSFORM rooms REPLACE "(.+)" "${ELMAN_CSRC}/\\1/*.cpp")
  file(GLOB sources CONFIGURE_DEPENDS ${rooms})
  target_sources(${target} PRIVATE ${sources})
  target_include_directories(${target} PRIVATE ${ELMAN_CSRC})
  target_link_libraries(${target} PRIVATE Threads::Threads)
  string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
  elman_isa(${target} scalar)
  if(processor MATCHES "x86_64|amd64")
    target_compile_definitions(${target} PRIVATE ELMAN_X86)
    elman_isa(${target} avx2 -mavx2 -mfma)
    elman_isa(${target} avx512 -mavx512f -mavx512vl -mavx512dq -mavx512bw -mfma)
  elseif(processor MATCHES "aarch64|arm64")
    target_compile_definitions(${target} PRIVATE ELMAN_ARM)
    elman_isa(${target} neon)
  endif()
endfunction()

# The engine's self-test, which runs without Python; `ARGN` are flags for all but the kernels.
function(elman_selftest target)
  file(GLOB tests CONFIGURE_DEPENDS ${ELMAN_CSRC}/../tests/cpp/*.cpp)
  add_executable(${target} ${tests})
  elman_engine(${target})
  target_compile_options(${target} PRIVATE ${ARGN})
  target_link_options(${target} PRIVATE ${ARGN})
endfunction()
