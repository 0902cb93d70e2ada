// The words of CUDA that the kernels use, for a clang without NVIDIA's toolkit.
#pragma once
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __forceinline__ __inline__ __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __syncthreads() __nvvm_bar_sync(0)
#define SHARED(T, name) extern __attribute__((device, shared)) T name[]
#include <__clang_cuda_builtin_vars.h>
