#include "device.h"

#include <ucontext.h>

#include <csetjmp>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "launch.h"

namespace elman::cuda {
namespace {

constexpr std::size_t stack_bytes = 64 << 10, guard_bytes = 64;
constexpr unsigned char fresh = 0xff, guard = 0xa5;

struct Barrier {
  int size = 0, waiting = 0;
  unsigned turns = 0;
};

struct Block {
  int index = 0, running = 0;
  std::vector<char> memory;
  Barrier barrier;
  char* shared = nullptr;
  Barrier* cluster = nullptr;
};

struct Warp {
  Barrier barrier;
  Fragments fragments[2];
};

struct Fiber {
  Block* block = nullptr;
  Warp* warp = nullptr;
  int thread = 0, products = 0;
  bool started = false, done = false;
  std::unique_ptr<char[]> stack;
  ucontext_t entry;
  jmp_buf place;
};

// On its way to a peer's shared memory, or to global memory, where `to` and `barrier` are null.
struct Push {
  Block* to;
  void* place;
  uint64_t value;
  int bytes;
  struct Arrivals* barrier;
};

struct Arrivals {  // in shared memory, in 8 bytes
  int32_t bytes = 0;
  int16_t expected = 1;  // the thread that says how many
  int16_t phase = 0;

  void check() {
    if (expected || bytes) return;
    expected = 1;
    phase ^= 1;
  }
};
static_assert(sizeof(Arrivals) == sizeof(uint64_t));

struct Machine {
  std::vector<std::unique_ptr<Block>> blocks;
  std::vector<std::unique_ptr<Barrier>> clusters;
  std::vector<std::unique_ptr<Warp>> warps;
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Push> pushes;
  const std::function<void()>* kernel = nullptr;
  Fiber* fiber = nullptr;
  int threads = 0, cluster = 1;
  bool moved = false;
  ucontext_t entry;
  jmp_buf place;
  std::string error;
  std::mt19937 random{1};
};
thread_local Machine* machine = nullptr;

void yield() {
  if (!_setjmp(machine->fiber->place)) _longjmp(machine->place, 1);
}

void wait(Barrier& barrier) {
  const unsigned turn = barrier.turns;
  if (++barrier.waiting == barrier.size) {
    barrier.waiting = 0;
    ++barrier.turns;
    machine->moved = true;
  } else {
    while (barrier.turns == turn) yield();
  }
}

void body() {
  (*machine->kernel)();
  Fiber& fiber = *machine->fiber;
  fiber.done = machine->moved = true;
  --fiber.block->running;
  _longjmp(machine->place, 1);
}

void resume(Fiber& fiber) {
  machine->fiber = &fiber;
  if (_setjmp(machine->place)) return;
  if (fiber.started) _longjmp(fiber.place, 1);
  fiber.started = true;
  getcontext(&fiber.entry);
  fiber.entry.uc_stack.ss_sp = fiber.stack.get();
  fiber.entry.uc_stack.ss_size = stack_bytes;
  fiber.entry.uc_link = nullptr;
  makecontext(&fiber.entry, body, 0);
  setcontext(&fiber.entry);
}

void deliver(bool all) {
  Machine& m = *machine;
  std::vector<Push> left;
  for (Push& push : m.pushes) {
    if (!all && m.random() % 2) {
      left.push_back(push);
      continue;
    }
    if (push.to && push.to->running != m.threads) m.error = "a store to a block that has ended";
    std::memcpy(push.place, &push.value, push.bytes);
    if (push.barrier) {
      push.barrier->bytes -= push.bytes;
      push.barrier->check();
    }
    m.moved = true;
  }
  m.pushes.swap(left);
}

// Blocks first and on that run at the same time.
void run_blocks(int first, int count, const Grid& grid) {
  Machine& m = *machine;
  m.blocks.clear(), m.clusters.clear(), m.warps.clear(), m.fibers.clear();
  for (int b = 0; b < count; ++b) {
    auto block = std::make_unique<Block>();
    block->index = first + b;
    block->running = block->barrier.size = grid.threads;
    block->memory.assign(grid.shared_bytes + guard_bytes + 16, static_cast<char>(fresh));
    block->shared = block->memory.data() + (16 - reinterpret_cast<uintptr_t>(block->memory.data()) % 16) % 16;
    std::memset(block->shared + grid.shared_bytes, guard, guard_bytes);
    if (b % grid.cluster == 0) {
      m.clusters.push_back(std::make_unique<Barrier>());
      m.clusters.back()->size = grid.threads * grid.cluster;
    }
    block->cluster = m.clusters.back().get();
    for (int t = 0; t < grid.threads; ++t) {
      if (t % 32 == 0) {
        m.warps.push_back(std::make_unique<Warp>());
        m.warps.back()->barrier.size = 32;
      }
      auto fiber = std::make_unique<Fiber>();
      fiber->block = block.get();
      fiber->warp = m.warps.back().get();
      fiber->thread = t;
      fiber->stack.reset(new char[stack_bytes]);
      m.fibers.push_back(std::move(fiber));
    }
    m.blocks.push_back(std::move(block));
  }
  std::vector<Fiber*> running;
  for (const auto& fiber : m.fibers) running.push_back(fiber.get());
  int still = 0;  // turns in which nothing moved; with luck, because of those that lagged behind
  while (!running.empty() && m.error.empty()) {
    std::shuffle(running.begin(), running.end(), m.random);
    m.moved = false;
    for (Fiber* fiber : running) {
      if (m.random() % 4 == 0) continue;  // some lag behind
      resume(*fiber);
      if (!m.error.empty()) break;
    }
    deliver(!m.moved);
    still = m.moved ? 0 : still + 1;
    if (still == 30 && m.error.empty()) m.error = "threads wait for ever";
    running.erase(std::remove_if(running.begin(), running.end(), [](Fiber* f) { return f->done; }),
                  running.end());
  }
  for (const auto& block : m.blocks)
    for (std::size_t i = 0; i < guard_bytes; ++i)
      if (static_cast<unsigned char>(block->shared[grid.shared_bytes + i]) != guard && m.error.empty())
        m.error = "a store beyond the shared memory";
}

}  // namespace

int thread_index() { return machine->fiber->thread; }
int threads() { return machine->threads; }
int block_index() { return machine->fiber->block->index; }
char* shared_memory() { return machine->fiber->block->shared; }
void block_sync() { wait(machine->fiber->block->barrier); }
void cluster_sync() { wait(*machine->fiber->block->cluster); }

void warp_sync() { wait(machine->fiber->warp->barrier); }

void init_arrivals(uint64_t* barriers) {
  if (thread_index() == 0)
    for (int i = 0; i < 2; ++i) new (barriers + i) Arrivals;
}

void expect_arrivals(uint64_t* barrier, int bytes) {
  auto* arrivals = reinterpret_cast<Arrivals*>(barrier);
  arrivals->bytes += bytes;
  --arrivals->expected;
  arrivals->check();
  machine->moved = true;
}

void wait_for_arrivals(uint64_t* barrier, int parity) {
  while (reinterpret_cast<volatile Arrivals*>(barrier)->phase == parity) yield();
  machine->moved = true;
}

void push_bytes(void* p, int rank, const void* value, int bytes, uint64_t* barrier) {
  Push push{nullptr, at_peer(p, rank), 0, bytes, static_cast<Arrivals*>(at_peer(barrier, rank))};
  const Block& own = *machine->fiber->block;
  const int base = (own.index - machine->blocks[0]->index) / machine->cluster * machine->cluster;
  push.to = machine->blocks[base + rank].get();
  std::memcpy(&push.value, value, bytes);
  machine->pushes.push_back(push);
  machine->moved = true;
}

void post_word(uint64_t* to, uint64_t word) {
  machine->pushes.push_back({nullptr, to, word, sizeof word, nullptr});
  machine->moved = true;
}

Bytes await(const uint64_t* from, Words found, uint32_t tag) {
  while (found.w[0] >> 32 != tag || found.w[1] >> 32 != tag) {
    yield();
    found = look(from);
  }
  machine->moved = true;
  return {{static_cast<uint32_t>(found.w[0]), static_cast<uint32_t>(found.w[1])}};
}

void* at_peer(void* p, int rank) {
  Machine& m = *machine;
  Block& own = *m.fiber->block;
  const std::ptrdiff_t place = static_cast<char*>(p) - own.shared;
  const int base = (own.index - m.blocks[0]->index) / m.cluster * m.cluster;
  Block& peer = *m.blocks[base + rank];
  if (peer.running != m.threads) {
    m.error = "a store to a block that has ended";
    yield();
  }
  return peer.shared + place;
}

const Fragments& gather(const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  Fiber& fiber = *machine->fiber;
  Fragments& to =
      fiber.warp->fragments[fiber.products++ % 2];  // lanes may still read those of the last product
  std::memcpy(to.a[fiber.thread % 32], a, sizeof a);
  std::memcpy(to.b[fiber.thread % 32], b, sizeof b);
  wait(fiber.warp->barrier);
  return to;
}

void run_grid(const Grid& grid, const std::function<void()>& kernel, unsigned order) {
  Machine m;
  machine = &m;
  m.kernel = &kernel;
  m.threads = grid.threads;
  m.cluster = grid.cluster;
  m.random.seed(order);
  const int wave = grid.together ? grid.blocks : grid.cluster;
  for (int first = 0; first < grid.blocks && m.error.empty(); first += wave) run_blocks(first, wave, grid);
  machine = nullptr;
  if (!m.error.empty()) throw std::runtime_error("the GPU that this CPU plays: " + m.error);
}

}  // namespace elman::cuda
