#pragma once
#include <gumbo.h>
#include <stddef.h>

/// A parse whose nodes live in one arena. Gumbo checks no allocation, frees its tree by recursion and takes quadratic
/// time and memory on hostile nesting; here a parse that outgrows its bounds is given up whole, and the tree is freed
/// without recursion.
typedef struct BoundedGumbo BoundedGumbo;

/// Parses `length` bytes of UTF-8, which must stay in place until the parse is freed.
/// Returns NULL when it would take more than `bytes` of memory or `milliseconds` of this thread's processor time.
BoundedGumbo *bounded_gumbo_parse(const char *html, size_t length, size_t bytes, long milliseconds);

const GumboNode *bounded_gumbo_document(const BoundedGumbo *parse);

void bounded_gumbo_free(BoundedGumbo *parse);
