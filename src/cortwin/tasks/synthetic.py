"""A small synthetic recording: rates tuned to direction that rotate, with minimum-jerk reaches, for tests and demos."""

from __future__ import annotations

import numpy as np
from scipy.integrate import cumulative_trapezoid

from cortwin.tasks.reach import minimum_jerk_speed
from cortwin.tasks.recording import Recording


def synthetic_recording(
    generator: np.random.Generator,
    *,
    n_directions: int = 8,
    n_units: int = 40,
    dt: float = 0.01,
    movement: float = 0.4,
    lead: float = 0.1,
    frequency: float = 1.5,
    noise: float = 0.5,
) -> Recording:
    """Make a recording from -0.6 to 0.6 s around movement onset.

    Each unit's rate is a constant plus a random mixture of three latent quantities: the hand's velocity `lead` seconds
    later (cosine tuning), the hand's speed whatever the direction, and a plane in which all conditions rotate with one
    frequency, starting from the angle of their direction. Negative rates are cut to 0.

    Parameters
    ----------
    generator : source of the units' tuning and of the noise
    n_directions, n_units : sizes
    dt : time step in s
    movement : duration of the reaches in s
    lead : time in s by which the rates lead the hand
    frequency : of the rotation, in Hz
    noise : standard deviation in Hz of the noise on each sample of the rates
    """
    time = dt * np.arange(round(-0.6 / dt), round(0.6 / dt) + 1)
    theta = 2 * np.pi * np.arange(n_directions) / n_directions
    toward = np.stack([np.cos(theta), np.sin(theta)], axis=-1)
    amplitude = movement / 1.875  # peak speed 1

    def speed(at: np.ndarray) -> np.ndarray:
        return minimum_jerk_speed(at, duration=movement, amplitude=amplitude)

    velocity = speed(time)[:, None] * toward[:, None, :]
    rise = np.exp(-(((time - 0.1) / 0.25) ** 2))
    phase = 2 * np.pi * frequency * time + theta[:, None]
    latent = np.concatenate(
        [
            speed(time + lead)[:, None] * toward[:, None, :],
            np.broadcast_to(speed(time + lead)[:, None], (n_directions, time.size, 1)),
            rise[:, None] * np.stack([np.cos(phase), np.sin(phase)], axis=-1),
        ],
        axis=-1,
    )
    constant = generator.uniform(15.0, 30.0, n_units)  # Hz
    tuning = generator.normal(0.0, 6.0, (latent.shape[-1], n_units))  # Hz
    rate = constant + latent @ tuning + noise * generator.standard_normal((n_directions, time.size, n_units))
    return Recording.from_arrays(
        rate=np.maximum(rate, 0),
        time=time,
        direction=np.rad2deg(theta),
        hand_velocity=velocity,
        hand_position=cumulative_trapezoid(velocity, dx=dt, axis=1, initial=0),
        movement_end_median=np.full(n_directions, movement),
        source="synthetic recording",
    )
