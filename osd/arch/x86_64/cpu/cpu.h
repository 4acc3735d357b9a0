#pragma once
/* Setting up a CPU: see cpu.c. */

void cpu_init(void);
