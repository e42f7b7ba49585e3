// On the loss curve: when the picked neuron is dead.

// While it is, the curve's background is grey.
beneathLoss.push((chart) => {
  if (picked === null) return;
  drawing(chart, (ctx, left) => {
    ctx.fillStyle = `${colours.dead}40`;
    training.frameEpochs.forEach((epoch, at) => {
      if (!training.isDead(at, picked, dataset.xRange)) return;
      const next = training.frameEpochs[at + 1] ?? epoch;
      ctx.fillRect(left(epoch), chart.bbox.top, left(next) - left(epoch), chart.bbox.height);
    });
  });
});

views.push(() => {
  const isEverDead = picked !== null && training.frames.some((_, at) => training.isDead(at, picked, dataset.xRange));
  byId("dead-epochs").hidden = !isEverDead;
  byId("dead-epochs").lastElementChild.textContent = `neuron ${picked} is dead`;
});
