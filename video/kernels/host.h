// The words of CUDA that the kernels use, for a compiler of C++: a thread of the system for each thread of a block.
#pragma once
#include <pthread.h>

struct Dim {
    u32 x, y, z;
};
extern thread_local Dim threadIdx, blockIdx;
extern pthread_barrier_t meeting;
extern void* shared_memory;

#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(n)
#define __syncthreads() pthread_barrier_wait(&meeting)
#define SHARED(T, name) T* name = (T*)shared_memory
