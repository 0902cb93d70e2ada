// Pictures -> tensors: docs/frames.md, sections 1 to 6, in one launch. Integers only; every parameter comes from the host.
//
// A block fills `tile_width` columns by 8 rows of the canvas. Its threads first turn the source columns that these look at
// into RGB and filter them to 8 rows, into shared memory; then each thread filters one pixel's columns and writes it.

#include "params.h"
#ifdef __CUDA__
#include "device.h"
#else
#include "host.h"
#endif

enum { ROWS = 8, LANES = 32 };

struct Rgb {
    int red, green, blue;
};

static __device__ __forceinline__ int clip(int value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

static __device__ __forceinline__ int sample(const Params& p, const u8* at) { return *at; }
static __device__ __forceinline__ int sample(const Params& p, const u16* at) {
    return (*at >> p.sample_shift) & p.sample_mask;
}

// Sections 1 and 2: one pixel in RGB.
template <class Sample>
static __device__ __forceinline__ Rgb rgb_at(const Params& p, const u8* picture, u32 x, u32 y) {
    const u8* luma_at = picture + (u64)y * p.luma_pitch + (u64)x * sizeof(Sample);
    u64 chroma_at = (u64)(y >> p.sub_y) * p.chroma_pitch + (u64)(x >> p.sub_x) * p.chroma_step;
    int l = p.luma * (sample(p, (const Sample*)luma_at) - p.luma_zero) + (1 << (p.colour_shift - 1));
    int u = sample(p, (const Sample*)(picture + p.u_offset + chroma_at)) - p.chroma_zero;
    int v = sample(p, (const Sample*)(picture + p.v_offset + chroma_at)) - p.chroma_zero;
    Rgb pixel;
    pixel.red = clip((l + p.red_v * v) >> p.colour_shift);
    pixel.green = clip((l - p.green_v * v - p.green_u * u) >> p.colour_shift);
    pixel.blue = clip((l + p.blue_u * u) >> p.colour_shift);
    return pixel;
}

static __device__ __forceinline__ Rgb begun(const Axis& axis) {
    int half = 1 << (axis.shift - 1);
    Rgb sum = {half, half, half};
    return sum;
}

static __device__ __forceinline__ void add(Rgb& sum, int weight, const Rgb& pixel) {
    sum.red += weight * pixel.red;
    sum.green += weight * pixel.green;
    sum.blue += weight * pixel.blue;
}

static __device__ __forceinline__ Rgb ended(const Axis& axis, const Rgb& sum) {
    Rgb pixel = {clip(sum.red >> axis.shift), clip(sum.green >> axis.shift), clip(sum.blue >> axis.shift)};
    return pixel;
}

static __device__ __forceinline__ u32 packed(const Rgb& pixel) {
    return (u32)pixel.red | (u32)pixel.green << 8 | (u32)pixel.blue << 16;
}

static __device__ __forceinline__ Rgb unpacked(u32 word) {
    Rgb pixel = {(int)(word & 255), (int)(word >> 8 & 255), (int)(word >> 16 & 255)};
    return pixel;
}

// Section 4, the first pass: a row of the resized picture, over the source columns of this block.
template <class Sample>
static __device__ __forceinline__ void filter_columns(const Params& p, const u8* picture, u32 row, u32* to) {
    u32 start = p.rows.starts[row], count = p.rows.counts[row];
    const short* weights = p.rows.weights + (u64)row * p.rows.width;
    u32 first = p.tile_starts[blockIdx.x], columns = p.tile_counts[blockIdx.x];
    for (u32 column = threadIdx.x; column < columns; column += LANES) {
        Rgb sum = begun(p.rows);
        for (u32 t = 0; t < count; ++t) add(sum, weights[t], rgb_at<Sample>(p, picture, first + column, start + t));
        to[column] = packed(ended(p.rows, sum));
    }
}

// Section 4, the second pass: a pixel of the resized picture.
static __device__ __forceinline__ u32 filter_row(const Params& p, u32 column, const u32* from) {
    u32 start = p.columns.starts[column] - p.tile_starts[blockIdx.x], count = p.columns.counts[column];
    const short* weights = p.columns.weights + (u64)column * p.columns.width;
    Rgb sum = begun(p.columns);
    for (u32 t = 0; t < count; ++t) add(sum, weights[t], unpacked(from[start + t]));
    return packed(ended(p.columns, sum));
}

// Sections 5 and 6: turned, and as numbers.
template <class Number>
static __device__ __forceinline__ void write(const Params& p, u32 x, u32 y, u32 pixel) {
    const Number* values = (const Number*)p.values;
    long long at = (long long)p.origin + (long long)p.step_x * (int)x + (long long)p.step_y * (int)y;
    Number* to = (Number*)p.tensors + (u64)blockIdx.z * p.tensor_numbers + at;
    to[0] = values[pixel & 255];
    to[p.step_channel] = values[256 + (pixel >> 8 & 255)];
    to[2 * (long long)p.step_channel] = values[512 + (pixel >> 16 & 255)];
}

template <class Sample, class Number>
static __device__ __forceinline__ void frames(const Params& p, u32* tile) {
    u32 x = blockIdx.x * p.tile_width + threadIdx.x, y = blockIdx.y * ROWS + threadIdx.y;
    // Places left of and above the resized picture become huge numbers, and are outside like those right of it and below.
    u32 column = x - p.place_left, row = y - p.place_top;
    u32* line = tile + threadIdx.y * p.span;
    if (row < p.place_height) filter_columns<Sample>(p, p.pictures + (u64)blockIdx.z * p.picture_bytes, row, line);
    __syncthreads();
    if (threadIdx.x >= p.tile_width || x >= p.canvas_width || y >= p.canvas_height) return;
    bool inside = column < p.place_width && row < p.place_height;
    write<Number>(p, x, y, inside ? filter_row(p, column, line) : p.pad);
}

#define KERNEL(name, Sample, Number)                                                \
    extern "C" __global__ void __launch_bounds__(256) name(const Params p) {        \
        SHARED(u32, tile);                                                          \
        frames<Sample, Number>(p, tile);                                            \
    }

KERNEL(frames_8_u8, u8, u8)
KERNEL(frames_8_f16, u8, u16)
KERNEL(frames_8_f32, u8, u32)
KERNEL(frames_16_u8, u16, u8)
KERNEL(frames_16_f16, u16, u16)
KERNEL(frames_16_f32, u16, u32)
