/* How fast this machine can train: one thread per core, plain loops, no library.

   limit SETTINGS LOSSES trains networks of HIDDEN relu neurons by gradient descent, all points at once, on
   the mean squared error, and prints how many seconds that took. SETTINGS contains 32-bit numbers:
   the counts of networks, epochs and points (integers), then x, y, and for each network (floats)
   its rate, input weights, biases, output weights and output bias. The program writes the losses
   into LOSSES as (networks, epochs) floats. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HIDDEN 20
#define MOST_POINTS 1024
#define NUMBERS (2 + 3 * HIDDEN)

static int networks, epochs, points, threads;
static float x[MOST_POINTS], y[MOST_POINTS];
static float *settings, *losses;

static void train(const float *numbers, float *losses) {
    float rate = numbers[0], weight[HIDDEN], bias[HIDDEN], output[HIDDEN];
    float output_bias = numbers[1 + 3 * HIDDEN];
    for (int h = 0; h < HIDDEN; h++) {
        weight[h] = numbers[1 + h];
        bias[h] = numbers[1 + HIDDEN + h];
        output[h] = numbers[1 + 2 * HIDDEN + h];
    }
    float active[HIDDEN][MOST_POINTS], error[MOST_POINTS];
    for (int epoch = 0; epoch < epochs; epoch++) {
        for (int n = 0; n < points; n++)
            error[n] = output_bias - y[n];
        for (int h = 0; h < HIDDEN; h++)
            for (int n = 0; n < points; n++) {
                float sum = weight[h] * x[n] + bias[h];
                active[h][n] = sum > 0 ? sum : 0;
                error[n] += output[h] * active[h][n];
            }
        float squares = 0, total = 0;
        for (int n = 0; n < points; n++) {
            squares += error[n] * error[n];
            total += error[n];
        }
        losses[epoch] = squares / points;
        float step = 2 * rate / points;
        for (int h = 0; h < HIDDEN; h++) {
            float by_output = 0, by_bias = 0, by_weight = 0;
            for (int n = 0; n < points; n++) {
                float passed = active[h][n] > 0 ? error[n] : 0;
                by_output += error[n] * active[h][n];
                by_bias += passed;
                by_weight += passed * x[n];
            }
            weight[h] -= step * output[h] * by_weight;
            bias[h] -= step * output[h] * by_bias;
            output[h] -= step * by_output;
        }
        output_bias -= step * total;
    }
}

static void *work(void *first) {
    for (int k = (int)(long)first; k < networks; k += threads)
        train(settings + (size_t)k * NUMBERS, losses + (size_t)k * epochs);
    return NULL;
}

static void all(size_t done, size_t count) {
    if (done != count) {
        perror("limit");
        exit(1);
    }
}

int main(int count, char **arguments) {
    int sizes[3];
    FILE *file = count == 3 ? fopen(arguments[1], "rb") : NULL;
    all(file != NULL, 1);
    all(fread(sizes, sizeof(int), 3, file), 3);
    networks = sizes[0], epochs = sizes[1], points = sizes[2];
    all(points <= MOST_POINTS, 1);
    settings = malloc(sizeof(float) * NUMBERS * networks);
    losses = malloc(sizeof(float) * epochs * networks);
    all(fread(x, sizeof(float), points, file), points);
    all(fread(y, sizeof(float), points, file), points);
    all(fread(settings, sizeof(float) * NUMBERS, networks, file), networks);
    fclose(file);

    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    threads = (int)sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t *workers = malloc(sizeof(pthread_t) * threads);
    for (long k = 0; k < threads; k++)
        all(pthread_create(&workers[k], NULL, work, (void *)k), 0);
    for (int k = 0; k < threads; k++)
        pthread_join(workers[k], NULL);
    clock_gettime(CLOCK_MONOTONIC, &end);

    all((file = fopen(arguments[2], "wb")) != NULL, 1);
    all(fwrite(losses, sizeof(float) * epochs, networks, file), networks);
    all(fclose(file), 0);
    printf("%.6f\n", (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9);
    return 0;
}
