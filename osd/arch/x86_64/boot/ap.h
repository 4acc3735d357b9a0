#pragma once
/* Between ap.S and smp.c. A CPU is told to begin in a page by the number of that page, below 256. */
#define AP_BASE 0x8000
