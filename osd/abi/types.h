#pragma once
/* Scalars and limits that the kernel and every service share. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define N_SLOTS 16384
/* Slots below this one are services', which masks name one by one. */
#define N_SERVICE_SLOTS 256
/* Programs, in the slots above, are named by class. */
#define N_CLASSES 64
/* 4,096 programs, services, and new instances of these while an update runs. */
#define N_SPACES 5120
#define PAGE_SIZE 4096ul
#define SERVICE_NAME_LEN 24

/* Slot number in bits 0..13, incarnation (1..2^17-1) above; negative values are special. */
typedef int32_t endpoint_t;
/* Zero or a negative value of errors.def; calls may return a positive value instead of 0. */
typedef int64_t err_t;
typedef uint64_t paddr_t;
typedef uint64_t vaddr_t;
/* Kernel clock: nanoseconds since boot. */
typedef uint64_t nsec_t;
/* Number of an address space; stays with an instance across slot swaps. */
typedef uint32_t space_t;

#define EP_ANY ((endpoint_t) - 1)
#define EP_NONE ((endpoint_t) - 2)
#define EP_KERNEL ((endpoint_t) - 3)
#define EP_CLOCK ((endpoint_t) - 4)
#define EP_HARDWARE ((endpoint_t) - 5)
#define EP_SELF ((endpoint_t) - 6)

#define EP_MAKE(slot, incarnation) ((endpoint_t)((slot) | ((incarnation) << 14)))
#define EP_SLOT(ep) ((uint32_t)(ep) & (N_SLOTS - 1))
/* The kernel loads these two from the boot image, in this order. */
#define EP_VM EP_MAKE(0, 1)
#define EP_RS EP_MAKE(1, 1)

#define PROT_R 1u
#define PROT_W 2u
#define PROT_X 4u
