#pragma once
/*
 * The kernel's log: the debug console. log_printf (arch.h) understands %s %c %d %u %x with l and
 * ll, %p, %.*s, widths and zero padding.
 */
#include <stdarg.h>
#include <stddef.h>

void log_vprintf(const char *format, va_list *args);
void log_bytes(const char *text, size_t n);
