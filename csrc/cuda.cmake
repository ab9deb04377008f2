# The GPU's scans: module `_cuda`, compiled ahead of time by nvcc, and for the tests `_cuda_played`, in which a CPU
# plays the GPU.

set(ELMAN_CUDA AUTO CACHE STRING "AUTO: for the GPUs of this machine, if there are any; ON: for all known; OFF")
set_property(CACHE ELMAN_CUDA PROPERTY STRINGS AUTO ON OFF)
set(ELMAN_CUDA_ARCHITECTURES "" CACHE STRING "Instead of those, such as 90a or 80;86")

# The module from `ARGN`, with device.h and launch.h from `hardware`.
function(elman_cuda_module name hardware)
  pybind11_add_module(${name} MODULE NO_EXTRAS
    ${ELMAN_CSRC}/cuda/bind.cpp ${ELMAN_CSRC}/cuda/arguments.cpp ${ELMAN_CSRC}/cuda/schedule.cpp ${ARGN})
  target_include_directories(${name} PRIVATE ${hardware} ${ELMAN_CSRC} ${ELMAN_CSRC}/cuda)
  target_compile_definitions(${name} PRIVATE ELMAN_MODULE=${name})
  install(TARGETS ${name} DESTINATION elman)
endfunction()

function(elman_cuda_played)
  set(here ${ELMAN_CSRC}/../tests/cuda)
  elman_cuda_module(_cuda_played ${here} ${here}/device.cpp ${here}/f32.cpp ${here}/tf32.cpp ${here}/f16.cpp ${here}/bf16.cpp)
  target_compile_options(_cuda_played PRIVATE -O1 -fno-math-errno)
endfunction()

# The compute capabilities of this machine's GPUs, such as 90a; empty without any.
function(elman_gpus_here out)
  set(found "")
  find_program(ELMAN_NVIDIA_SMI nvidia-smi)
  if(ELMAN_NVIDIA_SMI)
    execute_process(COMMAND ${ELMAN_NVIDIA_SMI} --query-gpu=compute_cap --format=csv,noheader
      OUTPUT_VARIABLE lines RESULT_VARIABLE failed ERROR_QUIET)
    if(NOT failed)
      string(REGEX MATCHALL "[0-9]+\\.[0-9]" versions "${lines}")
      foreach(version IN LISTS versions)
        string(REPLACE "." "" version ${version})
        string(REGEX REPLACE "^90$" "90a" version ${version})
        list(APPEND found ${version})
      endforeach()
      list(REMOVE_DUPLICATES found)
    endif()
  endif()
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

set(elman_cuda_architectures "${ELMAN_CUDA_ARCHITECTURES}")
if(ELMAN_CUDA STREQUAL "OFF")
  set(elman_cuda_architectures "")
elseif(NOT elman_cuda_architectures)
  if(ELMAN_CUDA STREQUAL "ON")
    set(elman_cuda_architectures 80 86 89 90a 100 120)
  else()
    elman_gpus_here(elman_cuda_architectures)
  endif()
endif()
if(elman_cuda_architectures)
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_ARCHITECTURES OFF)  # the flags below say it
    set(CMAKE_CUDA_STANDARD 17)
    set(CMAKE_CUDA_RUNTIME_LIBRARY Static)  # it looks the driver up when it is first used
    enable_language(CUDA)
    set(flags -O3 --expt-relaxed-constexpr --prec-div=false --threads 0 --compress-mode=size)
    foreach(architecture IN LISTS elman_cuda_architectures)
      list(APPEND flags -gencode=arch=compute_${architecture},code=sm_${architecture})
    endforeach()
    if(ELMAN_CUDA STREQUAL "ON" AND NOT ELMAN_CUDA_ARCHITECTURES)
      list(APPEND flags -gencode=arch=compute_120,code=compute_120)  # PTX, for GPUs to come
    endif()
    elman_cuda_module(_cuda ${ELMAN_CSRC}/cuda/gpu
      ${ELMAN_CSRC}/cuda/f32.cu ${ELMAN_CSRC}/cuda/tf32.cu ${ELMAN_CSRC}/cuda/f16.cu ${ELMAN_CSRC}/cuda/bf16.cu)
    target_compile_options(_cuda PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:${flags}>)
    target_include_directories(_cuda SYSTEM PRIVATE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
    set(rates ${ELMAN_CSRC}/../bench/gpu/rates.cu)  # `make cuda` builds it; no package has it
    if(EXISTS ${rates})
      add_executable(cuda_rates EXCLUDE_FROM_ALL ${rates})
      target_include_directories(cuda_rates PRIVATE ${ELMAN_CSRC} ${ELMAN_CSRC}/cuda ${ELMAN_CSRC}/cuda/gpu)
      target_compile_options(cuda_rates PRIVATE ${flags})
    endif()
    message(STATUS "elman: CUDA for ${elman_cuda_architectures}")
  elseif(ELMAN_CUDA STREQUAL "ON")
    message(FATAL_ERROR "ELMAN_CUDA=ON: no CUDA compiler (nvcc) found")
  endif()
endif()
