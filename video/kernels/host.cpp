// host KERNEL LAUNCH OUT: runs one launch on the CPU, as a second opinion on the interpreter of PTX, and under the
// sanitizers of the compiler. Buffers are exactly as long as they are said to be, so that one byte too far is seen.
//
// LAUNCH: grid x, y, z, bytes of shared memory, of tables, pictures and tensors, each a u64; then Params, tables, pictures.
#include "frames.cu"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

thread_local Dim threadIdx, blockIdx;
pthread_barrier_t meeting;
void* shared_memory;

typedef void (*Kernel)(const Params);
static const struct {
    const char* name;
    Kernel run;
} KERNELS[] = {{"frames_8_u8", frames_8_u8},   {"frames_8_f16", frames_8_f16},   {"frames_8_f32", frames_8_f32},
               {"frames_16_u8", frames_16_u8}, {"frames_16_f16", frames_16_f16}, {"frames_16_f32", frames_16_f32}};

static u8* buffer(u64 bytes, FILE* from) {
    u8* at = (u8*)malloc(bytes);
    if (!at || (from && fread(at, 1, bytes, from) != bytes)) exit(3);
    return at;
}

static void block(Kernel kernel, const Params& params, Dim place) {
    std::vector<std::thread> threads;
    for (u32 t = 0; t < ROWS * LANES; ++t) threads.emplace_back([=] {
        threadIdx = {t % LANES, t / LANES, 0};
        blockIdx = place;
        kernel(params);
    });
    for (std::thread& thread : threads) thread.join();
}

int main(int count, char** arguments) {
    FILE* from = count == 4 ? fopen(arguments[2], "rb") : nullptr;
    Kernel kernel = nullptr;
    for (const auto& known : KERNELS)
        if (from && !strcmp(known.name, arguments[1])) kernel = known.run;
    u64 said[7];
    Params params;
    if (!kernel || fread(said, 8, 7, from) != 7 || fread(&params, sizeof params, 1, from) != 1) return 2;
    u8 *tables = buffer(said[4], from), *pictures = buffer(said[5], from), *tensors = buffer(said[6], nullptr);
    params.pictures = pictures;
    params.tensors = tensors;
    params.values = tables + (u64)params.values;
    params.tile_starts = (const u32*)(tables + (u64)params.tile_starts);
    params.tile_counts = (const u32*)(tables + (u64)params.tile_counts);
    for (Axis* axis : {&params.rows, &params.columns}) {
        axis->starts = (const u32*)(tables + (u64)axis->starts);
        axis->counts = (const u32*)(tables + (u64)axis->counts);
        axis->weights = (const short*)(tables + (u64)axis->weights);
    }
    pthread_barrier_init(&meeting, nullptr, ROWS * LANES);
    for (u32 z = 0; z < said[2]; ++z)
        for (u32 y = 0; y < said[1]; ++y)
            for (u32 x = 0; x < said[0]; ++x) {
                shared_memory = buffer(said[3], nullptr);
                block(kernel, params, {x, y, z});
                free(shared_memory);
            }
    FILE* to = fopen(arguments[3], "wb");
    bool is_written = to && fwrite(tensors, 1, said[6], to) == said[6] && !fclose(to);
    for (u8* taken : {tables, pictures, tensors}) free(taken);
    fclose(from);
    return is_written ? 0 : 3;
}
