// The start of a table's page: at the end of its film.

const transport = new Transport(training.frameEpochs.length, show);
transport.move(transport.last);
