// All that a launch is told: one value, so that one check of its size covers the whole agreement with `params.rs`.
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

// How one axis is resized, as `Taps` in video/src/frames/taps.rs has it.
struct Axis {
    const u32* starts;      // the first source place of each result place
    const u32* counts;      // how many source places it looks at
    const short* weights;   // `width` for each result place
    u32 width;
    u32 shift;
};

struct Params {
    const u8* pictures;     // the first byte of the first picture
    void* tensors;          // the first number of the first tensor
    const void* values;     // the number of each byte, for red, green and blue: [3][256]
    const u32* tile_starts; // the first source column that each column of blocks looks at
    const u32* tile_counts; // and how many
    Axis rows;              // the first pass: fewer or more rows
    Axis columns;           // the second pass: fewer or more columns
    u64 picture_bytes;      // from one picture to the next
    u64 tensor_numbers;     // from one tensor to the next, in numbers
    u64 u_offset;           // from a picture's first byte to its first U
    u64 v_offset;
    u32 luma_pitch;         // bytes from row to row
    u32 chroma_pitch;
    u32 chroma_step;        // bytes from a U to the next
    u32 sub_x, sub_y;       // by how many bits a place is shifted to give that of its chroma
    u32 sample_shift;       // of a 16-bit sample
    u32 sample_mask;
    int luma_zero, chroma_zero, luma, red_v, green_v, green_u, blue_u;
    u32 colour_shift;
    u32 canvas_width, canvas_height;
    u32 place_left, place_top, place_width, place_height;
    u32 tile_width;         // columns of the canvas that a block fills
    u32 span;               // words of shared memory for each row of a block
    u32 pad;                // the colour of the bars: red, green and blue from the lowest byte on
    int step_x, step_y, step_channel; // how far places and channels of the canvas lie apart in a tensor, in numbers
    u64 origin;             // where the canvas begins in it
};
static_assert(sizeof(Params) == 256, "params.rs has the same size");
