/* In front of a service's files: its variables in sections that host.c finds. */
#pragma clang section bss = "service_bss" data = "service_data"
