#pragma once
/*
 * Page tables against a plain map: what a step does is done to both, and what a machine would see is
 * compared. Anything that differs ends the program.
 */
#include <stddef.h>
#include <stdint.h>

#define MODEL_STEP_BYTES 8u

/* Begin with empty spaces. Once before each sequence. */
void model_start(void);
/* One operation, chosen by the bytes. */
void model_step(const uint8_t bytes[MODEL_STEP_BYTES]);
/* Compare everything, end all spaces, and account for every frame. */
void model_end(void);
