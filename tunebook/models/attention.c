/* Multi-head attention of packed texts over themselves, forward and backward, for one layer.
 *
 * Compiled for one head width, HD. Values are bfloat16 or float32; everything is computed in float32. Nothing is kept
 * between forward and backward: scores are computed again, and dropout masks are functions of (seed, text, head, query).
 * Every (text, head) is computed by one thread alone, so results do not depend on how many there are. Keys and values
 * of a prefix, the same for all texts, may stand before those of each text; their gradient is summed in fixed order.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 8 /* queries that are computed together, so that keys are read once for all of them */
#define VECTOR 32 /* keys that are computed together */
#define RESTRICT __restrict__

typedef struct {
    const void *query;   /* rows of queries: the projections' own, or one for each text */
    const void *rest;    /* the projections, a row for each token */
    int64_t query_stride, rest_stride, key_at, value_at; /* in values */
    const int32_t *ends; /* 0, and where each text ends */
    int64_t texts, heads, is_single, is_bfloat16;
    double scaling, dropout;
    uint64_t seed;
    const void *prefix; /* keys, then values, a row of heads * HD for each of `prefix_length` places; or nothing */
    int64_t prefix_length, parts; /* its gradient is summed over texts in so many parts: text t adds to t % parts */
} Call;

static inline float from_bfloat16(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

static inline uint16_t to_bfloat16(float value) { /* to the nearest, ties to even */
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static void load(const void *from, int64_t at, int is_bfloat16, float *RESTRICT to) {
    if (is_bfloat16) {
        const uint16_t *row = (const uint16_t *)from + at;
        for (int c = 0; c < HD; c++) to[c] = from_bfloat16(row[c]);
    } else {
        memcpy(to, (const float *)from + at, HD * sizeof(float));
    }
}

static void store(const float *RESTRICT from, void *to, int64_t at, int is_bfloat16) {
    if (is_bfloat16) {
        uint16_t *row = (uint16_t *)to + at;
        for (int c = 0; c < HD; c++) row[c] = to_bfloat16(from[c]);
    } else {
        memcpy((float *)to + at, from, HD * sizeof(float));
    }
}

/* e^x for x <= 0: 2^k * 2^f with a polynomial of degree 6, relative error under 2e-7 */
static inline float exponential(float x) {
    float scaled = x * 1.442695041f;
    scaled = scaled < -126.0f ? -126.0f : scaled;
    int32_t whole = (int32_t)(scaled - 0.5f);
    float f = scaled - (float)whole;
    float p = 1.535336188e-4f;
    p = p * f + 1.339887440e-3f;
    p = p * f + 9.618437357e-3f;
    p = p * f + 5.550332548e-2f;
    p = p * f + 2.402264791e-1f;
    p = p * f + 6.931472028e-1f;
    p = p * f + 1.0f;
    int32_t bits = (whole + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return p * power;
}

static inline uint64_t mixed(uint64_t x) { /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

/* 0 or 1 / (1 - p) for every key of one query, from random 16-bit words */
static void masks(const Call *call, int64_t text, int64_t head, int64_t row, int width, float *RESTRICT keep) {
    uint64_t key = mixed(mixed(call->seed + (uint64_t)(text * call->heads + head)) + (uint64_t)row);
    uint32_t threshold = (uint32_t)(call->dropout * 65536.0 + 0.5);
    float kept = (float)(1.0 / (1.0 - call->dropout));
    for (int j = 0; j < width; j += VECTOR) {
        uint64_t words[VECTOR / 4];
        uint16_t cut[VECTOR];
        for (int k = 0; k < VECTOR / 4; k++)
            words[k] = mixed(key + (uint64_t)(j / 4 + k + 1) * 0x9e3779b97f4a7c15ULL);
        memcpy(cut, words, sizeof(cut));
        for (int k = 0; k < VECTOR; k++) keep[j + k] = cut[k] >= threshold ? kept : 0.0f;
    }
}

/* out[r][0:width] = sum over c of left[r][c] * right[c][0:width] */
static void times_columns(const float left[ROWS][HD], const float *RESTRICT right, int width, float *RESTRICT out) {
    for (int j = 0; j < width; j += VECTOR) {
        float sums[ROWS][VECTOR] = {{0}};
        for (int c = 0; c < HD; c++)
            for (int r = 0; r < ROWS; r++)
                for (int k = 0; k < VECTOR; k++) sums[r][k] += left[r][c] * right[c * width + j + k];
        for (int r = 0; r < ROWS; r++) memcpy(out + r * width + j, sums[r], sizeof(sums[r]));
    }
}

/* out[r][0:HD] = sum over j of left[r][j] * right[j][0:HD] */
static void times_rows(const float *RESTRICT left, const float *RESTRICT right, int length, int width,
                       float out[ROWS][HD]) {
    float sums[ROWS][HD];
    memset(sums, 0, sizeof(sums));
    for (int j = 0; j < length; j++)
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < HD; c++) sums[r][c] += left[r * width + j] * right[j * HD + c];
    memcpy(out, sums, sizeof(sums));
}

/* out[j][0:HD] += sum over r of left[r][j] * right[r][0:HD] */
static void add_products(const float *RESTRICT left, const float right[ROWS][HD], int length, int width,
                         float *RESTRICT out) {
    for (int j = 0; j < length; j++) {
        float sums[HD];
        memcpy(sums, out + j * HD, sizeof(sums));
        for (int r = 0; r < ROWS; r++)
            for (int c = 0; c < HD; c++) sums[c] += left[r * width + j] * right[r][c];
        memcpy(out + j * HD, sums, sizeof(sums));
    }
}

/* Scores to shares, in place; no key beyond the text's length has any. The compiler may take it that no value is NaN
 * or infinite: whether one is, is read off the bits, and makes every share NaN. */
static void softmax(float *RESTRICT scores, int length, int width, float scaling) {
    uint32_t bits[VECTOR], largest = 0;
    float most = -3.0e38f, sum = 0.0f;
    for (int j = 0; j < width; j += VECTOR) {
        memcpy(bits, scores + j, sizeof(bits));
        for (int k = 0; k < VECTOR; k++) {
            uint32_t magnitude = bits[k] & 0x7fffffff;
            largest = magnitude > largest ? magnitude : largest;
        }
    }
    for (int j = 0; j < length; j++) most = scores[j] > most ? scores[j] : most;
    for (int j = 0; j < width; j++) scores[j] = exponential((scores[j] - most) * scaling);
    for (int j = length; j < width; j++) scores[j] = 0.0f;
    for (int j = 0; j < width; j++) sum += scores[j];
    float factor = 1.0f / sum;
    for (int j = 0; j < width; j++) scores[j] *= factor;
    if (largest >= 0x7f800000) {
        for (int k = 0; k < VECTOR; k++) bits[k] = 0x7fc00000;
        for (int j = 0; j < width; j += VECTOR) memcpy(scores + j, bits, sizeof(bits));
    }
}

static void transposed(const float *RESTRICT from, int length, int width, float *RESTRICT to) {
    for (int c = 0; c < HD; c++) {
        for (int j = 0; j < length; j++) to[c * width + j] = from[j * HD + c];
        for (int j = length; j < width; j++) to[c * width + j] = 0.0f;
    }
}

/* One head of one text: `rows` queries over `length` keys, `before` of them the prefix's, filled up to `width`. */
typedef struct {
    int64_t text, head, start, part;
    int before, length, width, rows;
} Item;

/* What a call reads beside its inputs, and what it writes. `d_prefix` has the parts of the prefix's gradient, each
 * laid out as the prefix is. */
typedef struct {
    const void *gradient;
    void *mixed, *d_query, *d_rest;
    float *d_prefix;
} Buffers;

/* Computes one item; `scratch` has room for `most` tokens of whatever it needs. */
typedef void (*Work)(const Call *call, const Item *item, const Buffers *buffers, int most, float *scratch);

static int up(int length) { return (length + VECTOR - 1) / VECTOR * VECTOR; }

static int longest_of(const Call *call) {
    int longest = 0;
    for (int64_t text = 0; text < call->texts; text++) {
        int length = call->ends[text + 1] - call->ends[text];
        longest = length > longest ? length : longest;
    }
    return up(longest + (int)call->prefix_length);
}

static Item item_of(const Call *call, int64_t text, int64_t head, int64_t part) {
    Item item = {.text = text, .head = head, .part = part, .before = (int)call->prefix_length};
    int own = (int)(call->ends[text + 1] - call->ends[text]);
    item.start = call->ends[text];
    item.length = item.before + own;
    item.width = up(item.length);
    item.rows = call->is_single ? 1 : own;
    return item;
}

/* Where the head's values of a query begin, in rows of `stride` values. */
static int64_t query_at(const Call *call, const Item *item, int64_t stride, int row) {
    return (call->is_single ? item->text : item->start + row) * stride + item->head * HD;
}

/* Where the head's values of a key of the text begin among the projections, but for `key_at` or `value_at`. */
static int64_t rest_at(const Call *call, const Item *item, int key) {
    return (item->start + key - item->before) * call->rest_stride + item->head * HD;
}

/* Where the head's key of a place of the prefix begins; its value is as many places further on as there are. */
static int64_t prefix_at(const Call *call, const Item *item, int64_t place) {
    return (place * call->heads + item->head) * HD;
}

static void load_keys(const Call *call, const Item *item, float *keys, float *values) {
    for (int j = 0; j < item->before; j++) {
        load(call->prefix, prefix_at(call, item, j), call->is_bfloat16, keys + j * HD);
        load(call->prefix, prefix_at(call, item, item->before + j), call->is_bfloat16, values + j * HD);
    }
    for (int j = item->before; j < item->length; j++) {
        load(call->rest, rest_at(call, item, j) + call->key_at, call->is_bfloat16, keys + j * HD);
        load(call->rest, rest_at(call, item, j) + call->value_at, call->is_bfloat16, values + j * HD);
    }
}

/* Adds an item's gradients of the prefix's keys and values to its part of the sum. */
static void add_prefix(const Call *call, const Item *item, const float *d_keys, const float *d_values, float *sums) {
    float *part = sums + item->part * 2 * item->before * call->heads * HD;
    for (int j = 0; j < item->before; j++) {
        float *key = part + prefix_at(call, item, j), *value = part + prefix_at(call, item, item->before + j);
        for (int c = 0; c < HD; c++) key[c] += d_keys[j * HD + c];
        for (int c = 0; c < HD; c++) value[c] += d_values[j * HD + c];
    }
}

/* Queries from `row` on, at most ROWS; zeros stand for those that are not there. */
static int load_queries(const Call *call, const Item *item, const void *from, int64_t stride, int row,
                        float to[ROWS][HD]) {
    int count = item->rows - row < ROWS ? item->rows - row : ROWS;
    memset(to, 0, ROWS * HD * sizeof(float));
    for (int r = 0; r < count; r++) load(from, query_at(call, item, stride, row + r), call->is_bfloat16, to[r]);
    return count;
}

static void attend_item(const Call *call, const Item *item, const Buffers *buffers, int most, float *scratch) {
    int length = item->length, width = item->width;
    float *keys = scratch, *values = keys + most * HD, *turned = values + most * HD;
    float *shares = turned + most * HD, *keep = shares + ROWS * most;
    load_keys(call, item, keys, values);
    transposed(keys, length, width, turned);
    for (int row = 0; row < item->rows; row += ROWS) {
        float queries[ROWS][HD], out[ROWS][HD];
        int count = load_queries(call, item, call->query, call->query_stride, row, queries);
        times_columns(queries, turned, width, shares);
        for (int r = 0; r < count; r++) {
            softmax(shares + r * width, length, width, (float)call->scaling);
            if (call->dropout > 0) {
                masks(call, item->text, item->head, row + r, width, keep);
                for (int j = 0; j < width; j++) shares[r * width + j] *= keep[j];
            }
        }
        times_rows(shares, values, length, width, out);
        for (int r = 0; r < count; r++)
            store(out[r], buffers->mixed, query_at(call, item, call->heads * HD, row + r), call->is_bfloat16);
    }
}

static void attend_backward_item(const Call *call, const Item *item, const Buffers *buffers, int most,
                                 float *scratch) {
    int length = item->length, width = item->width;
    float *keys = scratch, *values = keys + most * HD, *turned_keys = values + most * HD;
    float *turned_values = turned_keys + most * HD, *d_keys = turned_values + most * HD;
    float *d_values = d_keys + most * HD, *shares = d_values + most * HD, *kept = shares + ROWS * most;
    float *d_shares = kept + ROWS * most, *keep = d_shares + ROWS * most;
    load_keys(call, item, keys, values);
    transposed(keys, length, width, turned_keys);
    transposed(values, length, width, turned_values);
    memset(d_keys, 0, (size_t)length * HD * sizeof(float));
    memset(d_values, 0, (size_t)length * HD * sizeof(float));
    for (int row = 0; row < item->rows; row += ROWS) {
        float queries[ROWS][HD], d_mixed[ROWS][HD], d_queries[ROWS][HD];
        int count = load_queries(call, item, call->query, call->query_stride, row, queries);
        load_queries(call, item, buffers->gradient, call->heads * HD, row, d_mixed);
        times_columns(queries, turned_keys, width, shares);
        times_columns(d_mixed, turned_values, width, d_shares);
        memset(kept, 0, (size_t)ROWS * width * sizeof(float));
        for (int r = 0; r < ROWS; r++) {
            float *share = shares + r * width, *d_share = d_shares + r * width, *both = kept + r * width;
            if (r >= count) {
                memset(d_share, 0, width * sizeof(float));
                continue;
            }
            softmax(share, length, width, (float)call->scaling);
            if (call->dropout > 0) {
                masks(call, item->text, item->head, row + r, width, keep);
                for (int j = 0; j < width; j++) d_share[j] *= keep[j];
                for (int j = 0; j < width; j++) both[j] = share[j] * keep[j];
            } else {
                memcpy(both, share, width * sizeof(float));
            }
            float dot = 0.0f;
            for (int j = 0; j < width; j++) dot += share[j] * d_share[j];
            for (int j = 0; j < width; j++) d_share[j] = share[j] * (d_share[j] - dot) * (float)call->scaling;
        }
        add_products(kept, (const float(*)[HD])d_mixed, length, width, d_values);
        add_products(d_shares, (const float(*)[HD])queries, length, width, d_keys);
        times_rows(d_shares, keys, length, width, d_queries);
        for (int r = 0; r < count; r++)
            store(d_queries[r], buffers->d_query, query_at(call, item, call->query_stride, row + r), call->is_bfloat16);
    }
    if (buffers->d_prefix != NULL) add_prefix(call, item, d_keys, d_values, buffers->d_prefix);
    for (int j = item->before; j < length; j++) {
        store(d_keys + j * HD, buffers->d_rest, rest_at(call, item, j) + call->key_at, call->is_bfloat16);
        store(d_values + j * HD, buffers->d_rest, rest_at(call, item, j) + call->value_at, call->is_bfloat16);
    }
}

/* Every item, by threads with scratch of their own: `floats` of them for a token. One thread computes a head of every
 * text that adds to the same part of the prefix's gradient, in order; where each text has a part of its own, or there
 * is none, that is one text. Returns 1 where memory does not suffice. */
static int for_each(const Call *call, Work work, const Buffers *buffers, int floats) {
    int failed = 0, most = longest_of(call);
    int64_t parts = buffers->d_prefix == NULL ? call->texts : call->parts;
#pragma omp parallel
    {
        float *scratch = aligned_alloc(64, (size_t)most * floats * sizeof(float));
        if (scratch == NULL) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp for schedule(dynamic, 4)
        for (int64_t number = 0; number < parts * call->heads; number++) {
            if (scratch == NULL) continue;
            for (int64_t text = number / call->heads; text < call->texts; text += parts) {
                Item item = item_of(call, text, number % call->heads, number / call->heads);
                work(call, &item, buffers, most, scratch);
            }
        }
        free(scratch);
    }
    return failed;
}

/* Mixed values, a row of heads * HD for each query, into `mixed`. Returns 1 where memory does not suffice. */
int attend(const Call *call, void *mixed) {
    Buffers buffers = {.mixed = mixed};
    return for_each(call, attend_item, &buffers, 3 * HD + 2 * ROWS);
}

/* From the gradient of the mixed values to those of queries, keys and values, laid out as these are. Of `d_prefix`,
 * which may be nothing, zeros for all parts of the prefix's gradient, the first becomes that gradient. */
int attend_backward(const Call *call, const void *gradient, void *d_query, void *d_rest, float *d_prefix) {
    Buffers buffers = {.gradient = gradient, .d_query = d_query, .d_rest = d_rest, .d_prefix = d_prefix};
    int failed = for_each(call, attend_backward_item, &buffers, 6 * HD + 4 * ROWS);
    int64_t size = 2 * call->prefix_length * call->heads * HD;
    for (int64_t part = 1; d_prefix != NULL && part < call->parts; part++)
        for (int64_t i = 0; i < size; i++) d_prefix[i] += d_prefix[part * size + i];
    return failed;
}
