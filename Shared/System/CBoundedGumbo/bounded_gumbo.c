#define _POSIX_C_SOURCE 200809L
#include "bounded_gumbo.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

typedef struct Block {
    struct Block *next;
    max_align_t data[];
} Block;

struct BoundedGumbo {
    jmp_buf give_up;
    Block *blocks;
    char *free_at;
    size_t free_bytes;
    size_t bytes_left;
    unsigned allocations;
    struct timespec deadline;
    GumboOutput *output;
};

enum { block_size = 256 * 1024, allocations_per_clock = 1024 };

static int is_past(const struct timespec *deadline) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec > deadline->tv_sec || (now.tv_sec == deadline->tv_sec && now.tv_nsec > deadline->tv_nsec);
}

// Gumbo's frames hold nothing but memory from here, so that jumping over them leaks nothing.
static void *allocate(void *user_data, size_t size) {
    BoundedGumbo *parse = user_data;
    if (++parse->allocations % allocations_per_clock == 0 && is_past(&parse->deadline)) longjmp(parse->give_up, 1);
    if (size > parse->bytes_left) longjmp(parse->give_up, 1);
    size_t aligned = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (aligned > parse->free_bytes) {
        size_t room = aligned > block_size ? aligned : block_size;
        if (room > parse->bytes_left) longjmp(parse->give_up, 1);
        Block *block = malloc(sizeof(Block) + room);
        if (block == NULL) longjmp(parse->give_up, 1);
        parse->bytes_left -= room;
        block->next = parse->blocks;
        parse->blocks = block;
        parse->free_at = (char *)block->data;
        parse->free_bytes = room;
    }
    void *result = parse->free_at;
    parse->free_at += aligned;
    parse->free_bytes -= aligned;
    return result;
}

static void keep(void *user_data, void *memory) {
    (void)user_data;
    (void)memory;
}

BoundedGumbo *bounded_gumbo_parse(const char *html, size_t length, size_t bytes, long milliseconds) {
    BoundedGumbo *parse = calloc(1, sizeof(BoundedGumbo));
    if (parse == NULL) return NULL;
    parse->bytes_left = bytes;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &parse->deadline);
    parse->deadline.tv_sec += milliseconds / 1000;
    parse->deadline.tv_nsec += milliseconds % 1000 * 1000000;
    if (parse->deadline.tv_nsec >= 1000000000) {
        parse->deadline.tv_sec += 1;
        parse->deadline.tv_nsec -= 1000000000;
    }
    if (setjmp(parse->give_up) != 0) {
        bounded_gumbo_free(parse);
        return NULL;
    }
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = allocate;
    options.deallocator = keep;
    options.userdata = parse;
    options.max_errors = 0;
    parse->output = gumbo_parse_with_options(&options, html, length);
    return parse;
}

const GumboNode *bounded_gumbo_document(const BoundedGumbo *parse) { return parse->output->document; }

void bounded_gumbo_free(BoundedGumbo *parse) {
    while (parse->blocks != NULL) {
        Block *next = parse->blocks->next;
        free(parse->blocks);
        parse->blocks = next;
    }
    free(parse);
}
