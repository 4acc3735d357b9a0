#pragma once
/* Inside the service event framework. */
#include "osd/lib/sef/sef.h"

/* The table given to sef_startup(). */
extern const struct sef_callbacks *sef_callbacks;

/* Run the successor's part of an update; returns after the commit. */
void sef_update_run(const struct start_info *info);

/* RS asks for a state. Refuses at once what can never be reached. */
void sef_prepare_begin(const struct sef_prepare *request);
void sef_prepare_cancel(uint64_t transaction);
bool sef_prepare_is_open(void);
/* At a receive point: if the asked state is reached, report and stay here until RS resumes us. */
void sef_prepare_point(void);
