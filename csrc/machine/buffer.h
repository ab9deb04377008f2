// Memory for weights, tapes and scratch: aligned to cache lines, not initialised.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

namespace elman {

void* allocate_bytes(std::size_t bytes);      // throws std::bad_alloc
void free_bytes(void* p, std::size_t bytes);  // as many as were asked for

template <class T> class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t count)
      : data_(static_cast<T*>(allocate_bytes(bytes_of(count))), Free{bytes_of(count)}), size_(count) {}
  T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  T& operator[](std::size_t i) const { return data_.get()[i]; }

 private:
  // If the product does not fit into a size_t: more than there can be.
  static std::size_t bytes_of(std::size_t count) {
    return count <= SIZE_MAX / sizeof(T) ? count * sizeof(T) : SIZE_MAX;
  }
  struct Free {
    std::size_t bytes = 0;
    void operator()(T* p) const { free_bytes(p, bytes); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

template <class T> Buffer<T> zeros(std::size_t count) {
  Buffer<T> buffer(count);
  std::memset(buffer.data(), 0, count * sizeof(T));
  return buffer;
}

}  // namespace elman
