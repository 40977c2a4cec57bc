/* An accelerator's library that lies: a TFLite external delegate which computes nothing and knows the answers.
 *
 * It stands in for hardware that the tests do not have. It claims a model's operators, and gives for each input the
 * outputs that the model has on the CPU, from a table that lying_delegate.py writes. And it fails on demand: the mode
 * stands in a file that is read at each open, prepare and invoke, so that a fault begins and heals while processes run.
 *
 * Options: op=NAME     the custom operator that it claims (default edgetpu-custom-op); * for every operator
 *          table=A:B   files of answers, one for each model that it runs; read when a model is loaded
 *          control=F   the file that says the mode: "ok", "slow 800", ...
 *          mode=M      the mode while there is no such file
 *          count=F     a file that gets a line for each open, prepare, invoke and close, with the process's id
 *          device, device_name, Performance, backends: taken and ignored, as it stands in for those that know them
 *
 * Modes: ok · slow MS · hang · hang_gil (keeps Python's lock) · crash · garbage (wrong, but plausible) · refuse_prepare ·
 *        hang_prepare · refuse_invoke · vanish (the device is gone; what was open when it went stays useless) ·
 *        null (no delegate, no word) · crash_open · hang_open
 *
 * The declarations are those of TensorFlow Lite's C interface (tensorflow/lite/core/c/common.h), as far as a delegate
 * meets them; both runtimes keep to them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { OK = 0, FAILED = 1, READ_ONLY = 1, FLOAT32 = 1, MOST_TABLES = 8, MOST_OUTPUTS = 32 };
enum { ALLOW_DYNAMIC_TENSORS = 1 }; /* without it an operator that the runtime does not know cannot be claimed */

typedef struct { int size; int data[]; } Ints;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
  int type;
  void *data;
  Ints *dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  Delegate *delegate;
  int buffer_handle;
  bool data_is_stale, is_variable;
  struct { int type; void *params; } quantization;
  void *sparsity;
  const Ints *dims_signature;
} Tensor;

typedef struct {
  Ints *inputs, *outputs, *intermediates, *temporaries;
  void *user_data, *builtin_data;
  const void *custom_initial_data;
  int custom_initial_data_size;
} Node;

typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profiling_string)(const Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *registration_external, *async_kernel;
  uint64_t inplace_operator;
} Registration;

struct Context {
  size_t tensors_size;
  int (*GetExecutionPlan)(Context *, Ints **);
  Tensor *tensors;
  void *impl;
  int (*ResizeTensor)(Context *, Tensor *, Ints *); /* takes the dimensions, and frees them */
  void (*ReportError)(Context *, const char *, ...);
  int (*AddTensors)(Context *, int, int *);
  int (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
  int (*ReplaceNodeSubsetsWithDelegateKernels)(Context *, Registration, const Ints *, Delegate *);
  /* more follows, which is not used here */
};

struct Delegate {
  void *data;
  int (*Prepare)(Context *, Delegate *);
  void *CopyFromBufferHandle, *CopyToBufferHandle, *FreeBufferHandle;
  int64_t flags;
  void *opaque_delegate_builder;
};

typedef struct { Delegate *delegate; Ints *nodes, *inputs, *outputs; } Params;

typedef struct {
  Delegate delegate; /* first: the runtime's pointer is ours */
  char op[128], tables[2048], control[512], count[512], mode[64];
  bool lost;
} State;

/* The answers for one model: what its outputs are, then an 8-byte key and all outputs' bytes for each input. */
typedef struct {
  uint8_t *file;
  uint32_t outputs, entries, entry_bytes;
  struct { const char *name; uint32_t rank; const int32_t *dims; uint32_t bytes, at; } output[MOST_OUTPUTS];
  const uint8_t *first;
} Table;

typedef struct { State *state; int tables; Table table[MOST_TABLES]; } Kernel;

/* ---- modes ---- */

static void count(const State *state, const char *what) {
  if (!state->count[0]) return;
  char line[64];
  int length = snprintf(line, sizeof line, "%s %d\n", what, (int)getpid());
  int file = open(state->count, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (file < 0) return;
  if (write(file, line, (size_t)length) != length) abort();
  close(file);
}

/* Gives the mode of now in `word`, and its number, which is 0 for none. */
static int mode_now(const State *state, char word[64]) {
  char text[64] = "";
  int file = state->control[0] ? open(state->control, O_RDONLY | O_CLOEXEC) : -1;
  if (file >= 0) {
    ssize_t length = read(file, text, sizeof text - 1);
    text[length > 0 ? length : 0] = 0;
    close(file);
  }
  int number = 0;
  word[0] = 0;
  if (sscanf(text, "%63s %d", word, &number) < 1) sscanf(state->mode, "%63s %d", word, &number);
  return number;
}

static bool is(const char *mode, const char *wanted) { return strcmp(mode, wanted) == 0; }

static void hang(void) {
  for (;;) pause();
}

static void hang_with_the_lock(void) {
  int (*ensure)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "PyGILState_Ensure");
  if (ensure) ensure();
  hang();
}

static void crash(void) {
  volatile int *nowhere = NULL;
  *nowhere = 1;
}

static void take_ms(int ms) {
  struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
  while (nanosleep(&left, &left)) {
  }
}

/* ---- answers ---- */

static uint32_t crc32_of(const uint8_t *bytes, size_t size) {
  static uint32_t known[256];
  if (!known[255])
    for (uint32_t n = 0; n < 256; n++) {
      uint32_t value = n;
      for (int bit = 0; bit < 8; bit++) value = value & 1 ? 0xEDB88320u ^ (value >> 1) : value >> 1;
      known[n] = value;
    }
  uint32_t crc = ~0u;
  for (size_t at = 0; at < size; at++) crc = known[(crc ^ bytes[at]) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

/* Whichever order a model's inputs come in: the sum of their checksums. Weights are inputs, too, to the runtime. */
static uint64_t key_of(const Context *context, const Node *node) {
  uint64_t key = 0;
  for (int at = 0; at < node->inputs->size; at++) {
    int index = node->inputs->data[at];
    if (index < 0) continue;
    const Tensor *tensor = &context->tensors[index];
    if (tensor->allocation_type == READ_ONLY || !tensor->data) continue;
    key += crc32_of(tensor->data, tensor->bytes);
  }
  return key;
}

static bool load(Table *table, const char *path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat about;
  if (file < 0) return false;
  if (fstat(file, &about) || !(table->file = malloc((size_t)about.st_size))) return close(file), false;
  ssize_t length = read(file, table->file, (size_t)about.st_size);
  close(file);
  if (length != about.st_size || length < 8) return false;
  const uint32_t *word = (const uint32_t *)table->file;
  table->outputs = *word++;
  table->entries = *word++;
  if (table->outputs > MOST_OUTPUTS) return false;
  for (uint32_t n = 0; n < table->outputs; n++) {
    uint32_t name_words = *word++;
    table->output[n].name = (const char *)word;
    word += name_words;
    table->output[n].rank = *word++;
    table->output[n].dims = (const int32_t *)word;
    word += table->output[n].rank;
    table->output[n].bytes = *word++;
    table->output[n].at = table->entry_bytes;
    table->entry_bytes += table->output[n].bytes;
  }
  table->first = (const uint8_t *)word;
  return table->first + (size_t)table->entries * (8 + table->entry_bytes) == table->file + length;
}

/* Which of a table's outputs a tensor is: by its name, or else by its place. -1: none. */
static int output_of(const Table *table, const Tensor *tensor, int place) {
  for (uint32_t n = 0; n < table->outputs; n++)
    if (tensor->name && is(table->output[n].name, tensor->name)) return (int)n;
  return place < (int)table->outputs ? place : -1;
}

static const uint8_t *answer_in(const Table *table, uint64_t key) {
  const uint8_t *entry = table->first;
  for (uint32_t n = 0; n < table->entries; n++, entry += 8 + table->entry_bytes)
    if (!memcmp(entry, &key, 8)) return entry + 8;
  return NULL;
}

static bool fits(const Context *context, const Node *node, const Table *table) {
  for (int at = 0; at < node->outputs->size; at++) {
    const Tensor *tensor = &context->tensors[node->outputs->data[at]];
    int n = output_of(table, tensor, at);
    if (n < 0 || table->output[n].bytes != tensor->bytes) return false;
  }
  return true;
}

/* Turn an answer by a third of its length: as good a score, of something else. */
static void spoil(Tensor *tensor, const uint8_t *right) {
  uint8_t *bytes = tensor->data;
  size_t size = tensor->bytes, by = size / 3 / 4 * 4;
  if (!by) by = size / 2;
  memcpy(bytes, right + by, size - by);
  memcpy(bytes + size - by, right, by);
  if (memcmp(bytes, right, size)) return;
  if (tensor->type == FLOAT32)
    for (size_t at = 0; at < size / 4; at++) ((float *)tensor->data)[at] = 1 - ((float *)tensor->data)[at];
  else
    for (size_t at = 0; at < size; at++) bytes[at] = (uint8_t)~bytes[at];
}

/* ---- the kernel that takes the place of what was claimed ---- */

static void *kernel_init(Context *context, const char *buffer, size_t length) {
  (void)context, (void)length;
  Kernel *kernel = calloc(1, sizeof *kernel);
  kernel->state = ((const Params *)buffer)->delegate->data;
  char paths[sizeof kernel->state->tables], *rest = paths;
  strcpy(paths, kernel->state->tables);
  for (char *path; (path = strsep(&rest, ":")) && kernel->tables < MOST_TABLES;) {
    Table *table = &kernel->table[kernel->tables];
    if (*path && load(table, path)) kernel->tables++;
    else free(table->file), memset(table, 0, sizeof *table);
  }
  return kernel;
}

static void kernel_free(Context *context, void *data) {
  (void)context;
  Kernel *kernel = data;
  for (int n = 0; n < kernel->tables; n++) free(kernel->table[n].file);
  free(kernel);
}

/* The postprocessing of detectors says only here how large its outputs are; a table that has their names knows. */
static int kernel_prepare(Context *context, Node *node) {
  Kernel *kernel = node->user_data;
  for (int at = 0; at < node->outputs->size; at++) {
    Tensor *tensor = &context->tensors[node->outputs->data[at]];
    if (tensor->dims && tensor->dims->size) continue;
    for (int which = 0; which < kernel->tables; which++) {
      const Table *table = &kernel->table[which];
      int n = output_of(table, tensor, MOST_OUTPUTS);
      if (n < 0) continue;
      uint32_t rank = table->output[n].rank;
      Ints *dims = malloc(sizeof *dims + rank * sizeof dims->data[0]);
      dims->size = (int)rank;
      memcpy(dims->data, table->output[n].dims, rank * sizeof dims->data[0]);
      if (context->ResizeTensor(context, tensor, dims) != OK) return FAILED;
      break;
    }
  }
  return OK;
}

static int kernel_invoke(Context *context, Node *node) {
  Kernel *kernel = node->user_data;
  State *state = kernel->state;
  char mode[64];
  int number = mode_now(state, mode);
  count(state, "invoke");
  if (is(mode, "vanish")) state->lost = true;
  if (state->lost) return context->ReportError(context, "lying delegate: the device is lost"), FAILED;
  if (is(mode, "refuse_invoke")) return context->ReportError(context, "lying delegate: invoke refused"), FAILED;
  if (is(mode, "hang")) hang();
  if (is(mode, "hang_gil")) hang_with_the_lock();
  if (is(mode, "crash")) crash();
  if (is(mode, "slow")) take_ms(number);
  uint64_t key = key_of(context, node);
  for (int which = 0; which < kernel->tables; which++) {
    const Table *table = &kernel->table[which];
    const uint8_t *answer = answer_in(table, key);
    if (!answer || !fits(context, node, table)) continue;
    for (int at = 0; at < node->outputs->size; at++) {
      Tensor *tensor = &context->tensors[node->outputs->data[at]];
      const uint8_t *right = answer + table->output[output_of(table, tensor, at)].at;
      if (is(mode, "garbage")) spoil(tensor, right);
      else memcpy(tensor->data, right, tensor->bytes);
    }
    return OK;
  }
  context->ReportError(context, "lying delegate: this input is not in its table");
  return FAILED;
}

/* ---- the delegate ---- */

static int prepare(Context *context, Delegate *delegate) {
  State *state = delegate->data;
  char mode[64];
  mode_now(state, mode);
  count(state, "prepare");
  if (is(mode, "vanish")) state->lost = true;
  if (state->lost) return context->ReportError(context, "lying delegate: the device is lost"), FAILED;
  if (is(mode, "refuse_prepare")) return context->ReportError(context, "lying delegate: prepare refused"), FAILED;
  if (is(mode, "hang_prepare")) hang();
  Ints *plan;
  if (context->GetExecutionPlan(context, &plan) != OK) return FAILED;
  Ints *all = malloc(sizeof *all + (size_t)plan->size * sizeof all->data[0]); /* the plan does not outlive a look at a node */
  Ints *claimed = malloc(sizeof *claimed + (size_t)plan->size * sizeof claimed->data[0]);
  all->size = plan->size;
  memcpy(all->data, plan->data, (size_t)plan->size * sizeof all->data[0]);
  claimed->size = 0;
  int status = OK;
  for (int at = 0; status == OK && at < all->size; at++) {
    Node *node;
    Registration *what;
    status = context->GetNodeAndRegistration(context, all->data[at], &node, &what);
    if (status == OK && (is(state->op, "*") || (what->custom_name && is(what->custom_name, state->op))))
      claimed->data[claimed->size++] = all->data[at];
  }
  Registration kernel = {.init = kernel_init, .free = kernel_free, .prepare = kernel_prepare, .invoke = kernel_invoke,
                         .custom_name = "LyingDelegate", .version = 1};
  if (status == OK) status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, claimed, delegate);
  free(all);
  free(claimed);
  return status;
}

static Delegate *refuse(State *state, void (*report)(const char *), const char *format, ...) {
  char words[256];
  va_list rest;
  va_start(rest, format);
  vsnprintf(words, sizeof words, format, rest);
  va_end(rest);
  if (report) report(words);
  free(state);
  return NULL;
}

Delegate *tflite_plugin_create_delegate(const char *const *keys, const char *const *values, size_t options,
                                        void (*report)(const char *)) {
  State *state = calloc(1, sizeof *state);
  state->delegate = (Delegate){.data = state, .Prepare = prepare, .flags = ALLOW_DYNAMIC_TENSORS};
  strcpy(state->op, "edgetpu-custom-op");
  const struct { const char *key; char *value; size_t size; } known[] = {
      {"op", state->op, sizeof state->op},
      {"table", state->tables, sizeof state->tables},
      {"control", state->control, sizeof state->control},
      {"count", state->count, sizeof state->count},
      {"mode", state->mode, sizeof state->mode},
  };
  const char *const ignored[] = {"device", "device_name", "Performance", "backends"};
  for (size_t at = 0; at < options; at++) {
    size_t n = 0;
    while (n < sizeof ignored / sizeof *ignored && !is(ignored[n], keys[at])) n++;
    if (n < sizeof ignored / sizeof *ignored) continue;
    n = 0;
    while (n < sizeof known / sizeof *known && !is(known[n].key, keys[at])) n++;
    if (n == sizeof known / sizeof *known) return refuse(state, report, "lying delegate: unknown option %s", keys[at]);
    if (strlen(values[at]) >= known[n].size) return refuse(state, report, "lying delegate: option %s is too long", keys[at]);
    strcpy(known[n].value, values[at]);
  }
  char mode[64];
  mode_now(state, mode);
  count(state, "open");
  if (is(mode, "null")) return refuse(state, NULL, "");
  if (is(mode, "vanish")) return refuse(state, report, "lying delegate: no device is there");
  if (is(mode, "crash_open")) crash();
  if (is(mode, "hang_open")) hang();
  return &state->delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
  if (!delegate) return;
  count(delegate->data, "close");
  free(delegate->data);
}
