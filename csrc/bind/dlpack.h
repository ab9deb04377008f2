// The structs of DLPack (dlpack.org), by which libraries of arrays read each other's memory: those of version
// 0 and of version 1, and the table of C functions that a type offers as `__dlpack_c_exchange_api__`
// (since 1.3).
#pragma once

#include <cstdint>

namespace elman::dlpack {

struct Device {
  int32_t type, id;
};
constexpr Device cpu{1, 0};

struct DataType {
  uint8_t code, bits;
  uint16_t lanes;
};
constexpr uint8_t float_code = 2;

struct Tensor {
  void* data;
  Device device;
  int32_t axes;
  DataType type;
  int64_t *shape, *strides;  // strides in elements; null for C-contiguous
  uint64_t offset;           // in bytes
};

// Memory with an owner, of version 0. Whoever takes it calls `free` in the end, from any thread.
struct Managed {
  Tensor tensor;
  void* owner;
  void (*free)(Managed*);
};

struct Version {
  uint32_t major, minor;
};

// The same of version 1.
struct Versioned {
  Version version;
  void* owner;
  void (*free)(Versioned*);
  uint64_t flags;
  Tensor tensor;
};

// What a type offers. All objects are borrowed; what fails leaves a Python exception and returns less than 0.
struct Exchange {
  Version version;
  const Exchange* older;  // a table of an older major version, or null
  int (*allocate)(Tensor*, Versioned**, void*, void (*)(void*, const char*, const char*));
  int (*give)(void* object, Versioned**);
  int (*take)(Versioned*, void** object);  // a new object that owns the memory
  int (*look)(void* object,
              Tensor* tensor);  // allocates nothing; what it gives lives as long as the object; or null
  int (*stream)(int32_t type, int32_t id, void**);
};
constexpr uint32_t major_version = 1;

}  // namespace elman::dlpack
